"""The environments of the plugins' tests: everything that gets along in one, pinned; the others apart."""

ALL = (
    "allure-pytest==2.16.2", "allure-python-commons==2.16.2", "anyio==4.16.0", "asgiref==3.13.0", "attrs==26.1.0",
    "blinker==1.9.0", "certifi==2026.10.19.post1", "click==8.5.1", "coverage==7.17.4", "django==5.2.19",
    "execnet==2.1.2", "faker==40.63.0", "flaky==3.8.1", "flask==3.1.3", "h11==0.16.0", "httpcore==1.0.9",
    "httpx==0.28.1", "hypothesis==6.170.17", "idna==3.20", "iniconfig==2.3.1", "itsdangerous==2.2.0", "jinja2==3.1.6",
    "markupsafe==3.0.4", "numpy==2.4.6", "outcome==1.3.0.post0", "packaging==26.4", "pluggy==1.7.0", "psycopg==3.3.9",
    "psycopg-binary==3.3.9", "py-cpuinfo2==10.1.1", "pygments==2.21.0", "pytest==9.2.0", "pytest-asyncio==1.5.0",
    "pytest-benchmark==5.3.1", "pytest-cov==7.1.0", "pytest-django==4.14.0", "pytest-env==1.8.5",
    "pytest-html==4.2.0", "pytest-instafail==0.5.0", "pytest-metadata==3.1.1", "pytest-mock==3.17.0",
    "pytest-randomly==5.1.0", "pytest-rerunfailures==16.7", "pytest-sugar==1.1.1", "pytest-timeout==2.4.0",
    "pytest-xdist==3.8.0", "python-dotenv==1.2.4", "sniffio==1.3.1", "sortedcontainers==2.4.0", "sqlparse==0.6.1",
    "syrupy==7.0.2", "termcolor==3.3.0", "trio==0.35.0", "typing-extensions==4.16.0", "werkzeug==3.1.9",
)
WITHOUT_XDIST = ("pytest==9.2.0", "pluggy==1.7.0", "iniconfig==2.3.1", "packaging==26.4", "pygments==2.21.0")
PYTEST_8_SUBTESTS = ("pytest==8.4.2", "pytest-subtests==0.15.0", "attrs==26.1.0")
