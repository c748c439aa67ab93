"""From an inspection to an order."""

import pytest

from builders.allowances import CEILING, DEFAULT_LIMITS
from builders.plan import plan_trial_builds

PYPROJECT = """
[build-system]
requires = [{requires}]
build-backend = "x"
[project]
name = "p"
version = "1"
requires-python = "{python}"
dependencies = ["requests>=2", "tomli; python_version < '3.11'"]
"""
RECIPE = 'schema = 1\n[[component]]\nname = "a"\nbuilder = "{builder}"\n{rest}\n'


def codes(plan):
    return [finding.code for finding in plan.findings]


@pytest.fixture
def plan(inspect_tree):
    """Return a function: files → the plan of them."""
    return lambda files: plan_trial_builds(inspect_tree({**files, "README": "x"}))


@pytest.fixture
def planned_recipe(plan):
    """Return a function: a builder and further lines → the plan of a Makefile with this recipe."""

    def make(rest="", builder="cpp"):
        recipe = RECIPE.format(builder=builder, rest=rest)
        return plan({"escrow.toml": recipe, "Makefile": "all:\n", "sub/x": "1"})

    return make


def python_tree(requires, python=">=3.8", **more):
    return {"pyproject.toml": PYPROJECT.format(requires=requires, python=python), **more}


def test_draft_says_that_it_is_one(plan):
    planned = plan({"setup.py": ""})
    assert planned.drafted
    assert "E-RECIPE-DRAFTED" in codes(planned)


def test_environment_has_no_network_and_no_surprise(plan):
    (component,) = plan({"setup.py": "", "deps/pypi/x-1.0-py3-none-any.whl": ""}).components
    environment = component.phases[0].environment
    assert environment["PIP_NO_INDEX"] == "1"
    assert environment["PIP_FIND_LINKS"] == "/ws/src/deps/pypi"
    assert environment["SOURCE_DATE_EPOCH"] == "1700000000"
    assert not component.phases[0].network


def test_vendor_folder_of_wheels_is_a_store(plan):
    (component,) = plan({"setup.py": "", "vendor/x-1.0-py3-none-any.whl": ""}).components
    assert component.phases[0].environment["PIP_FIND_LINKS"] == "/ws/src/vendor"


def test_setuptools_of_the_image_is_used_and_told(plan):
    planned = plan(python_tree('"setuptools>=61", "wheel"'))
    assert "--no-build-isolation" in planned.components[0].phases[0].commands[0]
    assert "E-PLAN-TOOLCHAIN-BACKEND" in codes(planned)


def test_deposited_setuptools_is_preferred(plan):
    store = {"deps/pypi/setuptools-80.0-py3-none-any.whl": ""}
    planned = plan(python_tree('"setuptools"', **store))
    assert "--no-build-isolation" not in planned.components[0].phases[0].commands[0]


def test_other_build_tools_must_be_deposited(plan):
    (component,) = plan(python_tree('"hatchling", "hatch-vcs"')).components
    assert "--no-build-isolation" not in component.phases[0].commands[0]
    assert component.undeposited_tools == ("hatch-vcs", "hatchling")
    assert component.undeposited == ("requests>=2",)


@pytest.mark.parametrize(
    ("python", "suite"),
    [
        (">=3.8", "bookworm"),
        (">=3.12", "trixie"),
        (">=3.8,<3.12", "bookworm"),
        ("~=3.13", "trixie"),
    ],
)
def test_python_is_chosen_by_what_the_package_allows(plan, python, suite):
    (component,) = plan(python_tree('"setuptools"', python)).components
    assert component.suite == suite


def test_python_that_is_not_offered_is_not_tested(plan):
    planned = plan(python_tree('"setuptools"', ">=3.99"))
    assert not planned.components
    assert "E-PLAN-TOOLCHAIN-NOT-OFFERED" in codes(planned)


def test_node_without_dependencies_needs_no_install(plan):
    (component,) = plan({"package.json": '{"name": "p", "version": "1.0.0"}'}).components
    assert component.phases[0].commands == ('npm pack --pack-destination "$OUT"',)


def test_node_with_lock_installs_from_the_deposited_cache(plan):
    files = {
        "package.json": '{"name": "p", "version": "1.0.0", "dependencies": {"x": "1"}}',
        "package-lock.json": '{"packages": {"": {}, "node_modules/x": {"version": "1.0.0"}}}',
        "deps/npm/_cacache/index": "",
    }
    (component,) = plan(files).components
    assert component.phases[0].commands[0] == "npm ci --omit=dev"
    assert component.phases[0].environment["npm_config_cache"] == "/ws/src/deps/npm"


def test_node_without_lock_is_told(plan):
    planned = plan({"package.json": '{"dependencies": {"x": "1"}}'})
    assert "E-PLAN-NO-LOCKFILE" in codes(planned)


def test_deposited_modules_are_not_thrown_away(plan):
    files = {"package.json": '{"dependencies": {"x": "1"}}', "node_modules/x/index.js": "1"}
    (component,) = plan(files).components
    assert not any(
        "npm ci" in line or "npm install" in line for line in component.phases[0].commands
    )


def test_makefile_installs_only_where_it_knows_destdir(plan):
    plain = plan({"Makefile": "all:\n\tcc x.c\ninstall:\n\tcp a.out /usr/bin\n"})
    rooted = plan({"Makefile": "all:\n\tcc x.c\ninstall:\n\tcp a.out $(DESTDIR)/usr/bin\n"})
    assert plain.components[0].phases[0].commands == ("make",)
    assert len(rooted.components[0].phases[0].commands) == 2


def test_recipe_outranks_what_would_be_recognised(planned_recipe):
    planned = planned_recipe('build = ["sh build.sh"]\ntest = ["sh test.sh"]')
    (component,) = planned.components
    assert not planned.drafted
    assert [phase.name for phase in component.phases] == ["build", "test"]
    assert component.phases[0].commands == ("sh build.sh",)


def test_recipe_without_commands_takes_those_of_its_folder(planned_recipe):
    assert planned_recipe().components[0].phases[0].commands == ("make",)


def test_recipe_without_commands_for_an_empty_folder_fails(planned_recipe):
    assert codes(planned_recipe('dir = "sub"')) == ["E-RECIPE-INVALID"]


def test_fetch_is_told_and_its_commands_run_offline(planned_recipe):
    planned = planned_recipe('fetch = ["make fetch"]')
    assert codes(planned) == ["E-PLAN-FETCH-NOT-RUN"]
    assert planned.components[0].phases[0].commands == ("make fetch",)
    assert not planned.components[0].phases[0].network


def test_folder_that_is_not_deposited_fails(planned_recipe):
    assert codes(planned_recipe('dir = "elsewhere"')) == ["E-RECIPE-DIRECTORY-MISSING"]


@pytest.mark.parametrize("builder", ["rust", "node@99", "python@2.7"])
def test_builder_that_is_not_offered_is_not_tested(planned_recipe, builder):
    planned = planned_recipe(builder=builder)
    assert codes(planned) == ["E-PLAN-TOOLCHAIN-NOT-OFFERED"]
    assert planned.findings[0].type.untested


@pytest.mark.parametrize(
    ("builder", "suite"),
    [("c++", "bookworm"), ("python@3.13", "trixie"), ("node@bookworm", "bookworm")],
)
def test_builder_is_resolved(planned_recipe, builder, suite):
    assert planned_recipe('build = ["x"]', builder).components[0].suite == suite


def test_limits_of_the_recipe_are_kept(planned_recipe):
    limits = planned_recipe('limits = { memory = "2g", minutes = 5 }').components[0].limits
    assert (limits.memory_bytes, limits.seconds, limits.cpus) == (2 << 30, 300, DEFAULT_LIMITS.cpus)


def test_asking_for_more_than_there_is_is_not_tested(planned_recipe):
    planned = planned_recipe(f'limits = {{ memory = "{(CEILING.memory_bytes >> 30) + 1}g" }}')
    assert codes(planned) == ["E-PLAN-LIMITS"]


def test_placeholders_stand_in_the_environment(planned_recipe):
    planned = planned_recipe('[[placeholder]]\nname = "API_KEY"\ndummy = "none"')
    assert planned.components[0].phases[0].environment["API_KEY"] == "none"


def test_services_are_said_to_be_not_run_yet(planned_recipe):
    planned = planned_recipe('[[smoke]]\nrun = "true"')
    assert "E-PLAN-RUN-NOT-RUN" in codes(planned)


def test_deposited_builder_image_is_not_run_yet(plan):
    planned = plan(
        {"escrow.toml": 'schema = 1\n[[component]]\nname = "a"\nimage = "b.tar"\n', "x": ""}
    )
    assert codes(planned) == ["E-PLAN-IMAGE-NOT-OFFERED"]


def test_broken_recipe_fails_and_is_not_replaced_by_a_draft(plan):
    planned = plan({"escrow.toml": "schema =", "setup.py": ""})
    assert codes(planned) == ["E-RECIPE-UNREADABLE"]
    assert planned.findings[0].severity == "fail"


def test_invalid_recipe_names_every_place(plan):
    planned = plan({"escrow.toml": "schema = 1\n[[component]]\n", "setup.py": ""})
    assert {finding.facts["path"] for finding in planned.findings} == {
        "component[0].name",
        "component[0].builder",
    }


def test_nothing_recognised_asks_for_a_recipe(plan):
    planned = plan({"notes.txt": "x"})
    assert codes(planned) == ["E-PLAN-NOTHING-RECOGNISED"]
    assert "escrow.toml" in planned.findings[0].remedy


def test_source_that_cannot_be_opened_is_not_planned(inspect, make_part):
    planned = plan_trial_builds(inspect(make_part("source", b"garbage", media="zip")))
    assert not planned.components
    assert "E-UNPACK-UNREADABLE" in codes(planned)


def test_recipe_in_one_of_several_sources_counts_from_its_folder(inspect, make_part, make_tar):
    recipe = RECIPE.format(builder="cpp", rest='dir = "lib"')
    parts = [
        make_part("api", make_tar({"escrow.toml": recipe, "lib/Makefile": "all:\n"})),
        make_part("web", make_tar({"a": "", "b": ""})),
    ]
    (component,) = plan_trial_builds(inspect(*parts)).components
    assert component.directory == "api/lib"


def test_recipe_may_be_a_part_of_its_own(inspect, make_part, make_tar):
    recipe = RECIPE.format(builder="cpp", rest="").encode()
    parts = [
        make_part("source", make_tar({"Makefile": "all:\n", "a": ""})),
        make_part("escrow.toml", recipe, kind="environment", media="file"),
    ]
    planned = plan_trial_builds(inspect(*parts))
    assert (planned.drafted, planned.components[0].directory) == (False, "")


def test_node_without_a_build_needs_no_tools_of_development(plan):
    package = '{"name": "p", "version": "1.0.0", "devDependencies": {"ava": "5"}}'
    (component,) = plan({"package.json": package}).components
    assert component.phases[0].commands == ('npm pack --pack-destination "$OUT"',)


@pytest.mark.parametrize("lock", ["yarn.lock", "pnpm-lock.yaml", "bun.lock"])
def test_other_package_manager_is_named_with_the_way_out(plan, lock):
    planned = plan({"package.json": '{"dependencies": {"x": "1"}}', lock: ""})
    (finding,) = (f for f in planned.findings if f.code == "E-PLAN-PACKAGE-MANAGER")
    assert lock in finding.sentence
    assert "npm ci --cache deps/npm" in finding.remedy


def test_poetry_names_its_dependencies_as_pip_takes_them(plan):
    table = """
[tool.poetry]
name = "p"
[tool.poetry.dependencies]
python = "^3.11"
requests = "^2.31"
zero = "^0.3.1"
any = "*"
tilde = ">=1, <2"
extra = {version = "^1", optional = true}
[build-system]
requires = ["poetry-core"]
"""
    (component,) = plan({"pyproject.toml": table}).components
    wanted = ("any", "requests>=2.31,<3", "tilde>=1,<2", "zero>=0.3.1,<0.4")
    assert component.undeposited == wanted


def test_backend_in_the_tree_needs_no_setuptools(plan):
    table = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    planned = plan({"pyproject.toml": table})
    assert "E-PLAN-TOOLCHAIN-BACKEND" not in codes(planned)
