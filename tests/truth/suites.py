"""Which suites stand for the styles that there are.

None that needs another host than this one, and none that two processes cannot run at once: httpx's server has a fixed port.
"""

from __future__ import annotations

from tests.truth.subjects import Subject

PYTEST = ("pytest==9.2.0", "pytest-xdist==3.8.0", "execnet==2.1.2", "iniconfig==2.3.1", "pluggy==1.7.0") + (
    "pygments==2.21.0",
)
PYTEST_8 = ("pytest==8.4.2", "pytest-xdist==3.8.0", "execnet==2.1.2", "iniconfig==2.3.1", "pluggy==1.7.0") + (
    "pygments==2.21.0",
)
ASYNC = ("anyio==4.16.0", "idna==3.20", "outcome==1.3.0.post0", "sniffio==1.3.1", "trio==0.35.0") + (
    "typing-extensions==4.16.0",
    "attrs==26.1.0",
    "sortedcontainers==2.4.0",
)
HTTP = ("certifi==2026.10.19.post1", "h11==0.16.0", "httpcore==1.0.9", "httpx==0.28.1")

CLICK = Subject(
    "click",
    "8.1.8",
    "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a",
    ("pytest==8.4.2", "pytest-xdist==3.8.0", "click==8.1.8"),
    styles=("small parametrised", "output captured and invoked by a runner"),
)
DATEUTIL = Subject(
    "python-dateutil",
    "2.9.0.post0",
    "37dd54208da7e1cd875388217d5e00ebd4179249f90fb72437e91a35459a0ad3",
    ("pytest==8.4.2", "pytest-xdist==3.8.0", "pytest-cov==7.0.0", "python-dateutil==2.9.0.post0", "six==1.17.0")
    + ("freezegun==1.5.5", "hypothesis==6.140.2", "attrs==25.3.0"),
    styles=("unittest", "hypothesis"),
)
JINJA = Subject(
    "jinja2",
    "3.1.6",
    "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d",
    ("pytest==8.4.2", "pytest-xdist==3.8.0", "jinja2==3.1.6", "markupsafe==3.0.3", "trio==0.31.0"),
    styles=("classes", "asyncio"),
)
NETWORKX = Subject(
    "networkx",
    "3.6.1",
    "",
    (*PYTEST, "networkx==3.6.1"),
    ("--pyargs", "networkx"),
    styles=("classes that share their set-up", "out of an installed package"),
)
PACKAGING = Subject(
    "packaging",
    "26.0",
    "00243ae351a257117b6a241061796684b084ed1c516a08c48a3f7e147a9d80b4",
    # Its tests were written for pytest 8: pytest 9's deprecations are errors to them.
    (*PYTEST_8, "packaging==26.0", "pretend==1.0.9", "tomli_w==1.2.0"),
    least=27_000,
    styles=("small parametrised", "warnings as errors"),
)
JSONSCHEMA = Subject(
    "jsonschema",
    "4.26.0",
    "0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326",
    (*PYTEST, "jsonschema==4.26.0", "attrs==26.1.0", "jsonschema-specifications==2025.9.1", "referencing==0.37.0")
    + ("rpds-py==2026.9.1", "typing-extensions==4.16.0", "jsonpath-ng==1.16.0"),
    ("jsonschema",),
    least=7_000,
    styles=("unittest, generated", "doctests run by unittest"),
)
IDNA = Subject(
    "idna",
    "3.20",
    "a7db850025b95ded1eae8a46181a1a6c56c92c96f0e2b005d9ff8dc0210cab44",
    (*PYTEST, "idna==3.20", "pytest-randomly==5.1.0", "hypothesis==6.170.17", "sortedcontainers==2.4.0"),
    ("tests", "-p", "randomly", "-p", "no:cacheprovider", "--randomly-seed=20"),
    least=6_000,
    styles=("random order", "subtests"),
)
_AFTER_THE_COMMAND = (
    "logs only in a process that ran test_cli.py before, which sets the level of babel's logger: plain pytest shows nothing"
    " when it runs this file alone"
)
_BABEL_LOGS = """
extract.py::test_extraction_add_location_file
extract.py::test_extraction_with_default_mapping
extract.py::test_extraction_with_mapping_dict[**/ignored/**.*]
extract.py::test_extraction_with_mapping_dict[ignored]
extract.py::test_extraction_with_mapping_file
extract.py::test_extraction_with_mapping_file_with_comments
extract.py::test_extraction_with_mapping_file_with_keywords
extract.py::test_input_paths_is_treated_as_list
frontend.py::test_compile_catalog_dir
frontend.py::test_compile_catalog_explicit
frontend.py::test_extract_error_code
frontend.py::test_extract_header_comment
frontend.py::test_extract_ignore_dirs[False]
frontend.py::test_extract_ignore_dirs[True]
frontend.py::test_pr_1121[cfg]
frontend.py::test_pr_1121[toml]
frontend.py::test_update_dir[explicit]
frontend.py::test_update_dir[implicit]
init.py::test_correct_init_more_than_2_plurals
init.py::test_correct_init_singular_plural_forms
init.py::test_keeps_catalog_non_fuzzy
init.py::test_supports_no_wrap
init.py::test_supports_width
init.py::test_with_output_dir
"""
BABEL = Subject(
    "babel",
    "2.18.0",
    "b80b99a14bd085fcacfa15c9165f651fbb3406e66cc603abf11c5750937c992d",
    (*PYTEST, "babel==2.18.0", "freezegun==1.5.5", "python-dateutil==2.9.0.post0", "six==1.17.0", "pytz==2026.6"),
    ("tests", "babel", "--doctest-modules"),
    least=7_000,
    styles=("doctests", "conftests that parametrise"),
    differing={
        "tests/messages/frontend/test_cli.py::test_update_init_missing": "says 'creating' only where no run before left its file",
        **{f"tests/messages/frontend/test_{name}": _AFTER_THE_COMMAND for name in _BABEL_LOGS.split()},
    },
)
PYGMENTS = Subject(
    "pygments",
    "2.21.0",
    "610ca751c9bc2492b38eb9a38a7fbc93edbbb2d7182edaf34e66ae493dee5c8c",
    (*PYTEST, "wcag-contrast-ratio==0.9"),
    least=5_000,
    styles=("heavy conftests", "collectors of its own"),
)
MORE_ITERTOOLS = Subject(
    "more-itertools",
    "11.2.1",
    "cbf08fd0af284dc69718b9b76a8e6203df624d70209ea511e4219d350c856f63",
    (*PYTEST, "more-itertools==11.2.1"),
    ("tests", "more_itertools", "--doctest-modules"),
    least=800,
    styles=("unittest with subtests", "doctests"),
)
ATTRS = Subject(
    "attrs",
    "26.1.0",
    "d03ceb89cb322a8fd706d4fb91940737b6642aa36998fe130a9bc96c985eff32",
    (*PYTEST, "attrs==26.1.0", "hypothesis==6.170.17", "sortedcontainers==2.4.0", "cloudpickle==3.1.3"),
    least=1_300,
    styles=("hypothesis", "import mode importlib"),
)
REST_FRAMEWORK = Subject(
    "djangorestframework",
    "3.18.3",
    "446a9b352e7eff630421ab3f2328bd2401b109a9470afa4a31189994911ed030",
    (*PYTEST, "django==5.2.19", "djangorestframework==3.18.3", "pytest-django==4.14.0", "dj-database-url==3.1.2")
    + ("asgiref==3.13.0", "sqlparse==0.6.1", "pytz==2026.6", "inflection==0.5.1", "uritemplate==4.2.0")
    + ("pyyaml==6.0.4", "markdown==3.11.3"),
    least=1_600,
    styles=("Django", "classes with session fixtures: a database"),
)
TOOLZ = Subject(
    "toolz",
    "1.2.0",
    "9667a038e9d6ecba37995e26cb2f59ec6420b6ad8dd9677de59db9b956b08490",
    (*PYTEST, "toolz==1.2.0"),
    ("toolz",),
    least=190,
    styles=("warnings as errors", "logging shown live"),
)
STARLETTE = Subject(
    "starlette",
    "1.10.0",
    "b8399098d4c1e3522734f7235dc79b1fc967f96cf139c81e0fa30479e0685f9b",
    (*PYTEST, *ASYNC, *HTTP, "starlette==1.10.0", "httpx2==2.16.2", "itsdangerous==2.2.0", "jinja2==3.1.6")
    + ("python-multipart==0.0.34", "pyyaml==6.0.4", "opentelemetry-sdk==1.45.2", "opentelemetry-api==1.45.2")
    + ("importlib-metadata==10.2.0",),
    styles=("asyncio and trio", "warnings as errors"),
)
FLASK = Subject(
    "flask",
    "3.1.3",
    "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb",
    (*PYTEST_8, "flask==3.1.3", "werkzeug==3.1.9", "jinja2==3.1.6", "click==8.1.8", "itsdangerous==2.2.0")
    + ("blinker==1.9.0", "asgiref==3.13.0", "python-dotenv==1.2.4", "markupsafe==3.0.4"),
    least=450,
    styles=("warnings as errors", "a session fixture around everything"),
)
PYTESTS_OWN = Subject(
    "pytest",
    "9.2.0",
    "97c4f3b1f3c7414aa36465e09b8220f1d03627993bd51b1282e193753c80557b",
    (
        *PYTEST,
        "attrs==26.1.0",
        "hypothesis==6.170.17",
        "mock==5.2.0",
        "xmlschema==4.3.2",
        "argcomplete==3.7.2",
        "setuptools==84.2.1",
    ),
    ("testing/acceptance_test.py", "testing/test_conftest.py", "testing/test_pytester.py", "testing/test_runner.py"),
    least=280,
    styles=("subprocesses", "plugins of its own"),
)

IN_CI = (CLICK, TOOLZ, JSONSCHEMA)
"""Those that a run of all tests takes too."""
SUITES = (
    *IN_CI,
    DATEUTIL,
    JINJA,
    NETWORKX,
    PACKAGING,
    MORE_ITERTOOLS,
    IDNA,
    BABEL,
    PYGMENTS,
    ATTRS,
    REST_FRAMEWORK,
) + (
    STARLETTE,
    FLASK,
    PYTESTS_OWN,
)
