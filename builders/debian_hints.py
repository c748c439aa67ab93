"""Which Debian package brings what a C or C++ build commonly misses.

Facts of Debian 12, kept small: what is not here gets no hint, never a guess.
"""

from __future__ import annotations

# package → (headers or header folders, libraries, names that configuration steps ask for)
_PACKAGES: dict[str, tuple[str, str, str]] = {
    "zlib1g-dev": ("zlib.h zconf.h", "z", "zlib"),
    "libbz2-dev": ("bzlib.h", "bz2", "bzip2"),
    "liblzma-dev": ("lzma.h", "lzma", "liblzma lzma"),
    "libzstd-dev": ("zstd.h", "zstd", "libzstd zstd"),
    "liblz4-dev": ("lz4.h", "lz4", "liblz4 lz4"),
    "libssl-dev": ("openssl/", "ssl crypto", "openssl libssl libcrypto"),
    "libcurl4-openssl-dev": ("curl/", "curl", "libcurl curl"),
    "libsqlite3-dev": ("sqlite3.h", "sqlite3", "sqlite3"),
    "libpq-dev": ("libpq-fe.h", "pq", "libpq postgresql"),
    "default-libmysqlclient-dev": ("mysql/ mysql.h", "mysqlclient", "mysqlclient mysql"),
    "libxml2-dev": ("libxml/", "xml2", "libxml-2.0 libxml2"),
    "libxslt1-dev": ("libxslt/", "xslt exslt", "libxslt"),
    "libexpat1-dev": ("expat.h", "expat", "expat"),
    "libyaml-dev": ("yaml.h", "yaml", "yaml-0.1"),
    "libjansson-dev": ("jansson.h", "jansson", "jansson"),
    "libffi-dev": ("ffi.h", "ffi", "libffi"),
    "libreadline-dev": ("readline/", "readline", "readline"),
    "libncurses-dev": (
        "ncurses.h curses.h term.h",
        "ncurses ncursesw curses tinfo",
        "ncurses curses",
    ),
    "libpcre2-dev": ("pcre2.h pcre2posix.h", "pcre2-8", "libpcre2-8 pcre2"),
    "libpcre3-dev": ("pcre.h", "pcre", "libpcre pcre"),
    "libgmp-dev": ("gmp.h", "gmp", "gmp"),
    "libmpfr-dev": ("mpfr.h", "mpfr", "mpfr"),
    "libglib2.0-dev": ("glib.h gio/", "glib-2.0 gio-2.0", "glib-2.0 gio-2.0 gobject-2.0"),
    "libgtk-3-dev": ("gtk/", "gtk-3", "gtk+-3.0"),
    "libevent-dev": ("event2/ event.h", "event", "libevent"),
    "libuv1-dev": ("uv.h", "uv", "libuv"),
    "libboost-all-dev": ("boost/", "boost_system boost_filesystem boost_thread", "boost"),
    "libeigen3-dev": ("Eigen/", "", "eigen3"),
    "libprotobuf-dev": ("google/protobuf/", "protobuf", "protobuf"),
    "libpng-dev": ("png.h", "png png16", "libpng png"),
    "libjpeg-dev": ("jpeglib.h", "jpeg", "libjpeg jpeg"),
    "libtiff-dev": ("tiff.h tiffio.h", "tiff", "libtiff-4 tiff"),
    "libfreetype-dev": ("ft2build.h freetype2/", "freetype", "freetype2 freetype"),
    "libx11-dev": ("X11/", "X11", "x11"),
    "libgl-dev": ("GL/", "GL", "gl opengl"),
    "libsdl2-dev": ("SDL2/ SDL.h", "SDL2", "sdl2"),
    "libcap-dev": ("sys/capability.h", "cap", "libcap"),
    "libselinux1-dev": ("selinux/", "selinux", "libselinux"),
    "libacl1-dev": ("acl/ sys/acl.h", "acl", "libacl"),
    "libattr1-dev": ("attr/", "attr", "libattr"),
    "libpam0g-dev": ("security/", "pam", "pam"),
    "libsystemd-dev": ("systemd/", "systemd", "libsystemd systemd"),
    "libudev-dev": ("libudev.h", "udev", "libudev"),
    "libusb-1.0-0-dev": ("libusb.h libusb-1.0/", "usb-1.0", "libusb-1.0"),
    "libpcap-dev": ("pcap.h pcap/", "pcap", "libpcap"),
    "libsodium-dev": ("sodium.h", "sodium", "libsodium"),
    "libgcrypt20-dev": ("gcrypt.h", "gcrypt", "libgcrypt"),
    "libgnutls28-dev": ("gnutls/", "gnutls", "gnutls"),
    "libssh2-1-dev": ("libssh2.h", "ssh2", "libssh2"),
    "libgit2-dev": ("git2.h", "git2", "libgit2"),
    "libarchive-dev": ("archive.h", "archive", "libarchive"),
    "libgtest-dev": ("gtest/", "gtest", "gtest googletest"),
    "nlohmann-json3-dev": ("nlohmann/", "", "nlohmann_json"),
    "libfmt-dev": ("fmt/", "fmt", "fmt"),
    "libspdlog-dev": ("spdlog/", "spdlog", "spdlog"),
    "libasound2-dev": ("alsa/", "asound", "alsa"),
    "uuid-dev": ("uuid/", "uuid", "uuid"),
    "python3-dev": ("Python.h", "python3.11", "python3"),
    "linux-libc-dev": ("linux/", "", ""),
}

# command → package, where the names differ or the package is not in the builder.
_COMMANDS = {
    "gfortran": "gfortran",
    "nasm": "nasm",
    "yasm": "yasm",
    "swig": "swig",
    "doxygen": "doxygen",
    "help2man": "help2man",
    "gperf": "gperf",
    "ragel": "ragel",
    "re2c": "re2c",
    "xsltproc": "xsltproc",
    "protoc": "protobuf-compiler",
    "asciidoctor": "asciidoctor",
    "pandoc": "pandoc",
    "clang": "clang",
    "clang++": "clang",
    "tclsh": "tcl",
    "rsync": "rsync",
    "curl": "curl",
    "wget": "wget",
    "unzip": "unzip",
    "zip": "zip",
    "git": "git",
    "perl": "perl",
    "cmake": "cmake",
    "ninja": "ninja-build",
    "pkg-config": "pkg-config",
    "libtoolize": "libtool",
    "intltoolize": "intltool",
    "gtkdocize": "gtk-doc-tools",
}


def header_hint(header: str) -> str:
    """Return ' (Debian package: …)' for a header, or nothing."""
    for package, (headers, _, _) in _PACKAGES.items():
        for known in headers.split():
            if header == known or (known.endswith("/") and header.startswith(known)):
                return _hint(package)
    return ""


def library_hint(library: str) -> str:
    """Return the hint for what stands behind ``-l``."""
    found = (p for p, (_, libraries, _) in _PACKAGES.items() if library in libraries.split())
    return _hint(next(found, ""))


def configuration_hint(name: str) -> str:
    """Return the hint for what pkg-config, cmake or meson ask for."""
    wanted = name.lower()
    found = (p for p, (_, _, names) in _PACKAGES.items() if wanted in names.split())
    return _hint(next(found, ""))


def command_hint(command: str) -> str:
    """Return the hint for a command."""
    return _hint(_COMMANDS.get(command, ""))


def _hint(package: str) -> str:
    return f" (Debian package: {package})" if package else ""
