"""Findings about building it: the recipe, the plan, the build, the tests, and our own faults."""

from __future__ import annotations

from builders.finding_types import FindingType
from builders.findings_of_deposits import AS_FILES

RECIPE = (
    FindingType(
        "E-RECIPE-UNREADABLE",
        "escrow.toml cannot be read",
        "fail",
        "The deposited escrow.toml is not valid TOML: {problem}.",
        "Correct the line named, and deposit the source again.",
    ),
    FindingType(
        "E-RECIPE-INVALID",
        "escrow.toml does not follow its schema",
        "fail",
        "escrow.toml, at {path}: {problem}.",
        "{advice}",
    ),
    FindingType(
        "E-RECIPE-DRAFTED",
        "No recipe was deposited; a drafted one was run",
        "info",
        "No escrow.toml was deposited; these components were recognised: {components}.",
        "Deposit an escrow.toml so that the build no longer depends on guessing; the report holds "
        "the draft.",
    ),
    FindingType(
        "E-RECIPE-DIRECTORY-MISSING",
        "escrow.toml names a folder that is not deposited",
        "fail",
        "The component's folder '{directory}' is not in the deposited source.",
        "Correct 'dir' in escrow.toml, or deposit the folder.",
    ),
)

PLANNING = (
    FindingType(
        "E-PLAN-NOTHING-RECOGNISED",
        "Nothing was recognised that could be built",
        "warn",
        "No file was found that says how this deposit is built.",
        "Write an escrow.toml with one [[component]] and its 'build' commands, and deposit again.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-TOOLCHAIN-NOT-OFFERED",
        "The toolchain is not offered here",
        "warn",
        "The component needs {toolchain} (because of {because}), which is not offered here; "
        "offered are {offered}.",
        "Choose an offered builder in escrow.toml, or bring the toolchain as files of the deposit "
        "and call it in 'build'.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-PACKAGE-MANAGER",
        "The package manager is not offered here",
        "warn",
        "The component's dependencies are locked by {manager} (because of {because}), which is "
        "not offered here; npm is.",
        "Run: npm install --package-lock-only, then npm ci --cache deps/npm, and deposit "
        "package-lock.json and deps/; or deposit node_modules, and an escrow.toml with builder = "
        "\"node@18\" and the 'build' commands.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-SYSTEM-PACKAGES",
        "A system package cannot be had here",
        "warn",
        "The recipe asks for the Debian packages {packages}, which cannot be installed here: "
        "{problem}",
        "Correct the names in 'system', or bring the libraries as files of the deposit.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-FETCH-NOT-RUN",
        "The fetch phase was not run",
        "info",
        "The recipe has a 'fetch' phase; recorded fetching is not offered here yet, so the build "
        "ran from the deposited files alone.",
        "Put what 'fetch' would get into deps/ (deps/pypi, deps/npm) and deposit that.",
    ),
    FindingType(
        "E-PLAN-RUN-NOT-RUN",
        "Services and smoke tests were not run",
        "info",
        "The recipe describes services or smoke tests; the levels 'build' and below do not run "
        "them.",
        "Nothing to do: they are checked and kept for the level 'run'.",
    ),
    FindingType(
        "E-PLAN-IMAGE-NOT-OFFERED",
        "The vendor's own builder image is not run here",
        "warn",
        "The recipe names its own builder image ({image}); deposited images are kept but not run "
        "here yet.",
        "Choose an offered builder in escrow.toml: {offered}.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-LIMITS",
        "The recipe asks for more than this installation gives",
        "warn",
        "The recipe asks for {asked} of {what}; this installation gives at most {given}.",
        "Ask for less in 'limits', or ask the operator for a larger builder host.",
        untested=True,
    ),
    FindingType(
        "E-PLAN-TOOLCHAIN-BACKEND",
        "The builder image's own packaging tools were used",
        "info",
        "The deposit brings no {tools}; the builder image's own are taken.",
        "Nothing to do: the image travels with the package. To fix the version, put it into "
        "deps/pypi.",
    ),
    FindingType(
        "E-PLAN-NO-LOCKFILE",
        "Dependencies are not locked",
        "warn",
        "The component declares dependencies but no lock file was found beside {marker}.",
        "Commit the lock file ({lockfile}), so that every build takes the same versions.",
    ),
)

BUILDING = (
    FindingType(
        "E-BUILD-PYTHON-MISSING",
        "Python distributions are missing from the deposit",
        "fail",
        "The build is incomplete: the Python distribution(s) {names} are not in the deposit.",
        "Run, with Python {python} on Linux: pip download -d deps/pypi {arguments} and commit "
        "deps/ with the source (git add --force deps: a .gitignore may hide it).",
    ),
    FindingType(
        "E-BUILD-PYTHON-TOOL-MISSING",
        "Python build tools are missing from the deposit",
        "fail",
        "The build is incomplete: building the package needs {names}, which the deposit does not "
        "bring and the builder image does not have.",
        "Run, with Python {python} on Linux: pip download -d deps/pypi {arguments} and commit "
        "deps/ with the source (git add --force deps: a .gitignore may hide it).",
    ),
    FindingType(
        "E-BUILD-PYTHON-VERSION",
        "A package needs another Python",
        "fail",
        "A package needs Python {wanted}, and the builder has {present}.",
        'Choose another builder in escrow.toml (builder = "python@3.13"), or deposit versions '
        "that fit this one.",
    ),
    FindingType(
        "E-BUILD-PYTHON-MODULE",
        "A Python module is missing",
        "fail",
        "The build imports the Python module '{module}', which is not there.",
        "Declare the distribution that holds it in pyproject.toml (or requirements.txt) and put "
        "it into deps/pypi.",
    ),
    FindingType(
        "E-BUILD-NPM-MISSING",
        "npm packages are missing from the deposit",
        "fail",
        "The build is incomplete: the npm package(s) {names} are not in the deposit; npm stops at "
        "the first, so others may be missing too.",
        "Run, beside package.json, on Linux: {first}npm ci --cache deps/npm and commit deps/ with "
        "the source (git add --force deps: a .gitignore may hide it).",
    ),
    FindingType(
        "E-BUILD-NODE-MODULE",
        "A Node module is missing",
        "fail",
        "The build requires the Node module '{module}', which is not there.",
        "Declare it in package.json, lock it, and put it into the deposited npm cache deps/npm.",
    ),
    FindingType(
        "E-BUILD-NPM-LOCK",
        "package.json and its lock file do not agree",
        "fail",
        "npm refuses the lock file: {problem}.",
        "Run 'npm install', commit package-lock.json and deposit again.",
    ),
    FindingType(
        "E-BUILD-HEADER-MISSING",
        "A C or C++ header is missing",
        "fail",
        "The header '{header}' is not there{hint}.",
        "Deposit it where it is the product's own; else add its library's Debian package to "
        "'system' in escrow.toml, or bring the library's source with the deposit.",
    ),
    FindingType(
        "E-BUILD-LIBRARY-MISSING",
        "A library to link with is missing",
        "fail",
        "The linker does not find the library '{library}'{hint}.",
        "Add its Debian package to 'system' in escrow.toml, or bring the library's source with "
        "the deposit.",
    ),
    FindingType(
        "E-BUILD-PACKAGE-CONFIG-MISSING",
        "A library that the configuration looks for is missing",
        "fail",
        "The configuration step does not find '{package}'{hint}.",
        "Add its Debian package to 'system' in escrow.toml, or bring the library's source with "
        "the deposit.",
    ),
    FindingType(
        "E-BUILD-COMMAND-MISSING",
        "A command is missing",
        "fail",
        "The build calls the command '{command}', which is not in the builder{hint}.",
        "Add its Debian package to 'system' in escrow.toml, choose another builder, or bring the "
        "tool with the deposit.",
    ),
    FindingType(
        "E-BUILD-FILE-MISSING",
        "A file is missing",
        "fail",
        "The build needs the file '{file}', which is not in the deposit.",
        "Deposit the file, or the step that makes it.",
    ),
    FindingType(
        "E-BUILD-ABSOLUTE-PATH",
        "The build refers to a place of another machine",
        "fail",
        "The build needs '{file}', a place outside the deposit that only another machine has.",
        "Deposit what lies there, and refer to it by a path relative to the source.",
    ),
    FindingType(
        "E-BUILD-VARIABLE-MISSING",
        "An environment variable is not set",
        "fail",
        "The build needs the environment variable '{variable}', which is not set.",
        "Set it under 'env' of the component in escrow.toml; where it is a secret, name it in a "
        "[[placeholder]] with a dummy value.",
    ),
    FindingType(
        "E-BUILD-TOOL-VERSION",
        "The build needs a newer build tool",
        "fail",
        "The build needs {tool} {wanted}, and the builder's is older.",
        'Choose the newest builder in escrow.toml (for C and C++: builder = "cpp@14"), or let '
        "the build do with the older one.",
    ),
    FindingType(
        "E-BUILD-NODE-COMMAND",
        "A command of an npm package is missing",
        "fail",
        "The build calls the command '{command}', which no deposited npm package brings.",
        "Declare the package that brings it in package.json, lock it, and put it into the "
        "deposited npm cache deps/npm.",
    ),
    FindingType(
        "E-BUILD-NETWORK",
        "The build reaches for the network",
        "fail",
        "The build tries to reach {hosts} over the network, which it does not have.",
        "Bring what it would fetch with the deposit (vendor/, deps/pypi, deps/npm) and let the "
        "build use that.",
    ),
    FindingType(
        "E-BUILD-SUBMODULE",
        "The build needs a submodule that is not deposited",
        "fail",
        "The build stops because the submodule folder '{file}' is empty.",
        f"Run 'git submodule update --init --recursive' and {AS_FILES}.",
    ),
    FindingType(
        "E-BUILD-COMPILE-ERROR",
        "The source does not compile",
        "fail",
        "The compiler stops with: {line}",
        "Correct the source, deposit what is missing of it, or choose the builder version that it "
        "is written for.",
    ),
    FindingType(
        "E-BUILD-COMMAND-FAILED",
        "A build command failed",
        "fail",
        "The phase '{phase}' ended with exit code {exit_code}; its first error line is: {line}",
        "Read the build log from that line on; the same commands run offline with "
        "'docker run --network none'.",
    ),
    FindingType(
        "E-BUILD-OUT-OF-MEMORY",
        "The build ran out of memory",
        "fail",
        "The phase '{phase}' was stopped because it needed more than {limit} of memory, files "
        "written included.",
        "Raise 'limits.memory' of the component in escrow.toml, or build with fewer jobs at once.",
    ),
    FindingType(
        "E-BUILD-DISK-FULL",
        "The build ran out of disk",
        "fail",
        "The phase '{phase}' filled its workspace of {limit}.",
        "Raise 'limits.disk' of the component in escrow.toml, or remove intermediate files.",
    ),
    FindingType(
        "E-BUILD-TIME-LIMIT",
        "The build took too long",
        "fail",
        "The phase '{phase}' was stopped after {limit}.",
        "Raise 'limits.minutes' of the component in escrow.toml, or find what it waits for: there "
        "is no network and nobody to answer a prompt.",
    ),
    FindingType(
        "E-BUILD-OUTPUT-FLOOD",
        "The build printed too much",
        "fail",
        "The phase '{phase}' was stopped because it printed more than {limit}.",
        "Make the build less talkative.",
    ),
    FindingType(
        "E-BUILD-PERMISSION",
        "The build writes where it may not",
        "fail",
        "The build writes to '{file}', outside its workspace.",
        'Install into "$OUT" (make install DESTDIR="$OUT", pip wheel -w "$OUT") instead of the '
        "system.",
    ),
    FindingType(
        "E-BUILD-MODULE-MISSING",
        "A built package lacks modules that it imports from itself",
        "fail",
        "The package {artifact} was built, but whoever loads it finds missing: {modules}.",
        "Deposit the files, or add them to what is packed ('packages' in pyproject.toml, 'files' "
        "in package.json).",
    ),
    FindingType(
        "E-BUILD-MODULE-DOUBTFUL",
        "A built package may lack modules of its own",
        "warn",
        "Files of the package {artifact} name what the package does not hold: {modules}. Whether "
        "it is ever loaded cannot be told from here.",
        "Deposit the files, or add them to what is packed; nothing to do where these files are "
        "not used on this system, or something else brings what they name.",
    ),
    FindingType(
        "E-BUILD-NOTHING-BUILT",
        "Nothing was built",
        "fail",
        "The build ended well, but everything it left already lay in the deposit: {examples}.",
        "Remove built files from the deposit, so that the build has to make them.",
    ),
    FindingType(
        "E-BUILD-WORKERS-DISAGREE",
        "Two workers did not find the same",
        "warn",
        "The worker with the key {first} found that the deposit passes up to '{level}'; this "
        "one, with the same bytes, did not. The other findings say where it stopped.",
        "Look for what differs from one build to the next: time, memory, order, random numbers. "
        "If there is nothing, tell the operator, who compares the two workers.",
    ),
    FindingType(
        "E-BUILD-NO-ARTIFACT",
        "The build left no result",
        "fail",
        "The build ended well, but left no file in $OUT and nothing that looks built.",
        "Name the results in [[component.artifact]], or let the build write them into $OUT.",
    ),
    FindingType(
        "E-BUILD-ARTIFACT-MISSING",
        "A named artifact was not built",
        "fail",
        "The recipe names the artifact '{path}', and the build left no such file.",
        "Correct the path (relative to the component's folder, or below $OUT), or the build.",
    ),
    FindingType(
        "E-BUILD-ARTIFACT-DEPOSITED",
        "Some results already lay in the deposit",
        "info",
        "{count} of the results are byte for byte in the deposit already: {examples}.",
        "Nothing to do where these are copied files; built ones should not be deposited as source.",
    ),
)

TESTING = (
    FindingType(
        "E-TEST-FAILED",
        "The vendor's own tests fail",
        "fail",
        "The tests named in escrow.toml ended with exit code {exit_code}: {line}",
        "Correct the tests, or take those that need a network or services out of 'test'.",
    ),
)

OURS = (
    FindingType(
        "E-OURS-ENGINE",
        "The service could not run the build",
        "warn",
        "The service could not run this phase: {problem}",
        "Nothing to do: this is ours, and it is tried again.",
    ),
    FindingType(
        "E-OURS-INSPECTION",
        "The service could not inspect the deposit",
        "warn",
        "The service could not inspect the deposit: {problem}",
        "Nothing to do: this is ours, and it is tried again.",
    ),
)
