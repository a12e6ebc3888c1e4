"""Secrets are masked wherever they stand in a text, and other text stays as it is."""

import importlib
import logging
import pkgutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

import workbench
from workbench.masking import get_logger, masked, masked_all

#: Text with a secret that is written as HERE: what it is does not matter for most.
SECRETS = [
    # URLs
    "redis://:HERE@127.0.0.1:6379/0",
    "postgresql://ann:HERE@db.example.org/shop",
    "can't reach amqp://guest:HERE@127.0.0.1:5672// (refused)",
    "'mongodb+srv://ann:HERE@cluster0.example.net/?retryWrites=true' names no Redis",
    "redis://:HERE/with/slashes@127.0.0.1:6379/0",
    "redis://:an@HERE@127.0.0.1:6379/0",
    "Port could not be cast to integer value as 'HERE'",
    "https://HEREHEREHEREHEREHERE@git.example.org/repo.git",
    "ann:HERE@127.0.0.1:5432",
    "https://api.example.org/items?page=2&token=HERE&size=10",
    "https://api.example.org/items?api_key=HERE",
    "GET /login?user=ann&password=HERE HTTP/1.1",
    "https://files.example.org/a.zip?signature=HERE&expires=12",
    "https://s3.example.org/a?X-Amz-Credential=AK%2F20260101&X-Amz-Signature=HERE",
    "https://account.blob.example.net/c?sv=2024&sig=HERE%2Babc%3D",
    "https://maps.example.org/?key=HERE2345678901",
    # headers
    "Authorization: Bearer HERE",
    "Authorization: Basic HERE==",
    "authorization: HERE01234567",
    'Authorization: Digest username="ann", response="HERE"',
    "{'Authorization': 'Bearer HERE', 'Accept': '*/*'}",
    "[(b'authorization', b'Token HERE'), (b'accept', b'*/*')]",
    "Cookie: sessionid=HERE; csrftoken=HERE2",
    "{'Cookie': 'sessionid=HERE; theme=dark', 'Accept': '*/*'}",
    "Set-Cookie: sessionid=HERE; Path=/; HttpOnly",
    "X-Api-Key: HERE99 Accept: */*",
    "curl -H 'Authorization: Bearer HERE' https://example.org/",
    "the server said no to Bearer HERE1234567890123456",
    # command lines
    "backup.py --password HERE --verbose",
    "backup.py --password=HERE",
    "backup.py --password 'HERE HERE' --verbose",
    "backup.py '--db-password=HERE HERE' --verbose",
    'backup.py --api-key "HERE" out.txt',
    "backup.py --auth-token HERE",
    "java -password HERE -jar a.jar",
    "Command '['backup', '--password', 'HERE', '-v']' returned non-zero exit status 1.",
    'python launch.py {"kind": "script", "value": "a.py", "args": ["--token", "HERE"]}',
    "mysql -u root -pHERE shop",
    "sshpass -p HERE ssh example.org",
    "redis-cli -h 127.0.0.1 -a HERE ping",
    "curl -s -u ann:HERE https://example.org/",
    "openssl rsa -passin pass:HERE -in key.pem",
    "PGPASSWORD=HERE psql -h 127.0.0.1 shop",
    "env AWS_SECRET_ACCESS_KEY=HERE/HERE+1 GITHUB_TOKEN=HERE42 make",
    "DJANGO_SECRET_KEY='HERE' python manage.py",
    # names and values
    "connect(host='db', password='HERE')",
    'connect(host="db", password="HERE \\" HERE")',
    "{'user': 'ann', 'password': 'HERE'}",
    '{"user": "ann", "client_secret" : "HERE"}',
    '{"body": "{\\"user\\": \\"ann\\", \\"password\\": \\"HERE\\"}"}',
    "{b'password': b'HERE'}",
    "Cache(memory, secret=b'HERE')",
    'Cache(memory, secret=b"HERE")',
    "b'user=ann&password=HERE&remember=1'",
    "host=127.0.0.1 port=5432 user=ann password=HERE dbname=shop",
    "Server=db;User Id=ann;Password=HERE;Encrypt=yes",
    "auth=('ann', 'HERE')",
    "db_password = HERE123",
    "dbPassword=HERE accessToken=HERE42",
    "smtp: login failed (user: ann, password: HERE)",
    "password: HERE",
    "api_key: HERE42",
    "password_hash='pbkdf2_sha256$HERE'",
    "machine example.org login ann password HERE",
    "<wsse:Password>HERE</wsse:Password>",
    "os.environ['DB_PASSWORD'] = 'HERE'",
    # SQL, and what databases say
    "ALTER USER ann PASSWORD 'HERE'",
    "CREATE USER ann IDENTIFIED BY 'HERE'",
    "SET PASSWORD FOR ann = PASSWORD('HERE')",
    "near UPDATE users SET password = 'HERE' LIMIT 1: syntax error",
    "[SQL: INSERT INTO users (name, password) VALUES ('ann', 'HERE')]",
    "(sqlite3.IntegrityError) UNIQUE failed [SQL: INSERT INTO t VALUES (?, ?)] [parameters: ('ann', 'HERE')] (x)",
    "duplicate key: Key (api_token)=(HERE) already exists.",
    "null value in column: Failing row contains (1, ann, HERE, null).",
    "Duplicate entry 'HERE' for key 'users.token'",
    # shapes
    "-----BEGIN RSA PRIVATE KEY-----\nHERE\nHERE\n-----END RSA PRIVATE KEY-----",
    "no access with eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.HERE: refused",
    "ghp_HERE1234567890abcdefghijkl",
    "github_pat_HERE1234567890abcdefghijkl",
    "glpat-HERE1234567890abcdefg",
    "sk-HERE1234567890abcdefghijkl",
    "sk_live_HERE1234567890",
    "AKIAHERE123456789012",
    "xoxb-HERE1234567890-abcdef",
    "AIzaHERE1234567890abcdefghijklmnopqrstu",
    "https://hooks.slack.com/services/T0/B0/HERE",
]

INNOCENT = [
    "",
    "***",
    "all is well",
    "token_count=5",
    "tokens: 300",
    "max_tokens=512",
    "--max-tokens 512 --tokens 3",
    "--token-count 5",
    "token: 12",
    "password_hasher.py:12 check_password",
    "/srv/secret_santa.py",
    "secret_santa.py:7 draw (secrets.py:12)",
    "tests/test_passwords.py:12",
    "/usr/lib/python3.11/getpass.py:73 unix_getpass",
    "getpass.getpass('Password: ')",
    "password = getpass()",
    "password=password",
    "connect(user=user, password=db_password)",
    "connect(password=settings.DB_PASSWORD)",
    "token=os.environ['TOKEN']",
    "token = next(tokens)",
    "token = tokens[0]",
    "if token == '(':",
    "def login(user: str, password: str, token: str = None) -> bool:",
    "password=None, token='', secret=False",
    '{"password": null, "token": ""}',
    "password=%s, token={token}, secret=$SECRET",
    "PGPASSWORD=${PGPASSWORD} psql",
    "{'password': ['This field is required.']}",
    "password: required",
    "the password is wrong",
    'password authentication failed for user "ann"',
    "error: the following arguments are required: --password",
    "argument --token: expected one argument",
    "usage: backup.py [--password PASSWORD] [--token TOKEN]",
    "backup.py --password-file /run/secrets/db --no-password --verbose",
    "backup.py --key server.pem --cert server.crt",
    "ssh-keygen -t ed25519 -p",
    "mkdir -p /srv/data",
    "docker run --rm nginx:1.27@sha256:0123456789abcdef",
    "git clone git@github.com:psf/pyperf.git",
    "ssh://git@example.org:22/repo.git",
    "http://127.0.0.1:8000/path?mail=ann@example.org",
    "http://[::1]:8000/?page=2&sort=name",
    "https://example.org/?key=name&code=404&state=open",
    "mailto:ann@example.org",
    "ann@example.org:22",
    "127.0.0.1:6379",
    "redis://127.0.0.1:6379/0",
    "amqp://127.0.0.1:5672//",
    "Authorization: ",
    "401 Unauthorized",
    "authorization: required for this page",
    "Basic knowledge of Python",
    "cookie: see the docs",
    "cookies={}",
    "Accept: */*",
    "bearer of bad news",
    "author='Ann', authors=3",
    "compass=north, bypass=1, passes: 3",
    "pass",
    "item 3: 'pass' instead of 'fail'",
    "PWD=/srv/app OLDPWD=/srv",
    "session: 3, sessions=12",
    "INSERT INTO users (name, password) VALUES (%s, %s)",
    "SELECT password, token FROM users WHERE id = 1",
    "Key (id)=(12) already exists.",
    "Duplicate entry '12' for key 'users.id'",
    "KeyError: 'token'",
    "KeyError: 'password'",
    "AttributeError: 'Settings' object has no attribute 'secret_key'",
    "unexpected token: }",
    "<password>",
    "scikit sk-learn, task-based, risk-averse",
    "ValueError: invalid literal for int() with base 10: 'abc'",
    "threads are 7.5 times faster (7 to 8): keep 16 workers",
    "commit 0123456789abcdef0123456789abcdef01234567",
    "python -m pytest -p no:cacheprovider -k 'not slow'",
    "python -c 'from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)'",
    "lock (with self._lock:)",
    "keys = sorted(keys); key=lambda item: -item[1]",
    "async def fetch(session: aiohttp.ClientSession, token: TokenInterface) -> None:",
    '{"invalid password": AuthenticationError, "password": password}',
]


@pytest.mark.parametrize("secret", ["hunter2", "c0rrect-Horse.battery_staple", "pä$$w0rd!"])
@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_masked(text: str, secret: str) -> None:
    if "HERE123" in text or "HEREHERE" in text or "AKIA" in text:
        secret = "HERE"  # a shape: other characters would make another
    hidden = masked(text.replace("HERE", secret))
    assert secret not in hidden
    assert "***" in hidden
    assert masked(hidden) == hidden


@pytest.mark.parametrize("text", INNOCENT)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("https://a.example/x?page=2&token=hunter2&n=1", "https://a.example/x?page=2&token=***&n=1"),
        ("a.py --user ann --password hunter2 --tries 3", "a.py --user ann --password *** --tries 3"),
        ("Authorization: Bearer hunter2 was refused", "Authorization: Bearer *** was refused"),
        ("connect(password='hunter2', port=5432)", "connect(password='***', port=5432)"),
        ("user=ann password=hunter2 host=db", "user=ann password=*** host=db"),
        ("(password=hunter2, x=1)", "(password=***, x=1)"),
        ("a (redis://:hunter2@h:1), b", "a (redis://:***@h:1), b"),
    ],
)
def test_what_stands_around_a_secret_is_kept(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("DB_PASSWORD", "zebra-42-stripes", "no such host: zebra-42-stripes"),
        ("REDIS_URL", "redis://:zebra-42-stripes@127.0.0.1/0", "AUTH zebra-42-stripes failed"),
        ("STRIPE_API_KEY", "zebra/42 stripes", "GET /pay/zebra%2F42%20stripes and 'zebra/42 stripes'"),
        ("SERVICE_TOKEN", "zebra\\42stripes", r"'zebra\\42stripes'"),
        ("TLS_PRIVATE_KEY", "zebra-42-first\nzebra-42-second", "zebra-42-second is no base64"),
        ("RABBITMQ_URL", "amqp://guest:zebra%4042@127.0.0.1//", "ACCESS_REFUSED for zebra@42"),
    ],
    ids=["password", "url", "quoted", "repr", "lines", "decoded"],  # pytest keeps the id in the environment
)
def test_secrets_of_the_environment_are_masked_wherever_they_stand(
    name: str, value: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert masked(text) == text
    monkeypatch.setenv(name, value)
    assert "zebra" not in masked(text)
    assert "zebra" not in masked_all([text])[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "postgres"),
        ("DB_PASSWORD", "abc"),
        ("PWD", "/srv/postgres"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/srv/postgres.json"),
        ("DB_PASSWORD_FILE", "postgresql"),
        ("TOKEN_COUNT", "postgresql"),
        ("SERVICE_TOKEN", "gresql"),
    ],
)
def test_ordinary_words_are_no_secrets_of_the_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    text = "postgresql in /srv/postgres as postgres, see /srv/postgres.json, abc"
    assert masked(text) == text


@dataclass(frozen=True)
class Held:
    """Some data."""

    text: str
    more: tuple[str, ...] = ()


def test_data_are_masked_all_the_way_down() -> None:
    data = {"password=hunter2": [Held("token=hunter22"), (1, None, Held("ok", ("redis://:hunter2@h/",)))]}
    assert masked_all(data) == {"password=***": [Held("token=***"), (1, None, Held("ok", ("redis://:***@h/",)))]}


@pytest.mark.parametrize("start", ["password=", "[parameters: ", "-----BEGIN PRIVATE KEY-----", "sk-", "eyJ"])
def test_a_long_text_takes_a_time_that_grows_with_its_length_alone(start: str) -> None:
    """With time that grew as the square of its length this would take hours, and run into the suite's limit."""
    masked(start * (300_000 // len(start)))


def test_what_is_logged_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    logger = get_logger("workbench.test_masking")
    with caplog.at_level(logging.DEBUG, "workbench"):
        logger.debug("can't reach %s", "redis://:hunter2@127.0.0.1/0")
        logger.warning("%d of %s", 3, "all")
    assert [record.getMessage() for record in caplog.records] == ["can't reach redis://:***@127.0.0.1/0", "3 of all"]
    assert caplog.records[1].args == (3, "all")


def test_every_logger_of_the_workbench_masks() -> None:
    for module in pkgutil.walk_packages(workbench.__path__, "workbench."):
        if module.name != "workbench.__main__":
            importlib.import_module(module.name)
    known = logging.root.manager.loggerDict
    loggers = {name: known[name] for name in known if name.startswith("workbench.") and name in sys.modules}
    assert len(loggers) >= 10
    assert [name for name, logger in loggers.items() if isinstance(logger, logging.Logger) and not logger.filters] == []


def test_importing_it_is_light() -> None:
    """The process of a diagnosed task may have to: whatever it imports more, its task finds imported."""
    code = (
        "import __future__, functools, re, sys; had = set(sys.modules); import masking; print(*set(sys.modules) - had)"
    )
    environment = {"PYTHONPATH": workbench.__path__[0]}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment) == "masking\n"
