"""An S3 bucket: whole objects read, written, listed, deleted; every call is tried again until it is done or hopeless.

boto3 is imported by the first use. Credentials, region and endpoint come from where boto3 looks for them (environment, its own files, the
machine's role; AWS_ENDPOINT_URL for MinIO and the like) and are neither stored nor shown. What fails is an OSError that names the object,
as it would be on a disk, so that whoever handles a full or a missing disk handles this, too.

Besides reading and writing, a store must honour conditional writes (If-None-Match, If-Match): one driver per sweep rests on them.
"""

import errno
import functools
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

from results.errors import Changed, Unsupported

# How long a call is tried again. A store that has never answered is probably misnamed; one that has answered is waited for as long as
# a fail-over takes.
FIRST_PATIENCE_S = 15.0
PATIENCE_S = 120.0
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 10.0
_SAID_AFTER_S = 1.0  # a hiccup is nobody's business

_CONNECT_S = 10.0
_READ_S = 30.0
_DELETED_AT_ONCE = 1000  # S3's limit
_WRITTEN = "written-ns"  # metadata of an object: when it was written, nanoseconds since 1970, by the writer's clock

# Codes that go away by themselves, besides every 5xx. 409 is S3's answer where two conditional writes meet.
_PASSING = frozenset({
    "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestTimeout", "RequestTimeTooSkewed",
    "ConditionalRequestConflict", "OperationAborted",
})  # fmt: skip

# Code -> errno, what to say. What it means for the exit code is decided where that of a full disk is, in the command line.
_HOPELESS = {
    "NoSuchBucket": (errno.ENXIO, "the bucket does not exist; create it, or name another one with --storage"),
    "NoSuchKey": (errno.ENOENT, "there is no such object"),
    "404": (errno.ENOENT, "there is no such object"),
    "AccessDenied": (errno.EACCES, "access denied"),
    "403": (errno.EACCES, "access denied"),
    "InvalidAccessKeyId": (errno.EACCES, "the access key is not known there"),
    "SignatureDoesNotMatch": (errno.EACCES, "the secret key does not fit the access key"),
    "ExpiredToken": (errno.EACCES, "the credentials have expired; renew them"),
    "InvalidToken": (errno.EACCES, "the session token is not valid"),
    "PermanentRedirect": (errno.ENXIO, "the bucket lies in another region; name it in AWS_DEFAULT_REGION"),
    "QuotaExceeded": (errno.EDQUOT, "the quota is used up"),
}
_NO_CREDENTIALS = "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role"

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing."""

    key: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """One object.

    Attributes:
        data: Its content.
        etag: Names this content.
        written_ns: When it was written, since 1970, by its writer's clock, or else by the store's, which knows whole seconds only.
        age_s: Seconds since it was written, by the store's clock alone, whole ones.
    """

    data: bytes
    etag: str
    written_ns: int
    age_s: float


class ObjectStore:
    """One bucket; may be used by several threads at once."""

    def __init__(self, bucket: str, client: Any) -> None:
        self.bucket = bucket
        self._client = client
        self._answered = False

    @property
    def answered(self) -> bool:
        """Return whether the store has ever done what it was asked to."""
        return self._answered

    def get(self, key: str) -> Fetched:
        """Return an object.

        Raises:
            FileNotFoundError: There is none.
        """

        def call() -> Fetched:
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            written = answer["Metadata"].get(_WRITTEN, "")
            written_ns = int(written) if written.isdecimal() else int(answer["LastModified"].timestamp()) * 10**9
            age_s = max(0.0, (now - answer["LastModified"]).total_seconds())
            return Fetched(answer["Body"].read(), answer["ETag"], written_ns, age_s)

        return self._tried(key, call)

    def put(self, key: str, data: bytes, *, instead_of: str | None = None, new: bool = False) -> tuple[str, int]:
        """Write an object, whole or not at all; return its ETag and the time that is kept with it, nanoseconds since 1970.

        Args:
            key: Its key.
            data: Its content, at most 5 GiB.
            instead_of: Only where this ETag is there.
            new: Only where nothing is there.

        Raises:
            Changed: The condition does not hold, and what is there is not this content.
        """
        condition = {"IfMatch": instead_of} if instead_of is not None else {"IfNoneMatch": "*"} if new else {}
        written_ns = time.time_ns()

        def call() -> str:
            answer = self._client.put_object(Bucket=self.bucket, Key=key, Body=data, Metadata={_WRITTEN: str(written_ns)}, **condition)
            return str(answer["ETag"])

        try:
            return self._tried(key, call), written_ns
        except (Changed, FileNotFoundError) as error:
            if not condition:
                raise
            # A write whose answer was lost is there although we were not told: the content says so.
            try:
                there = self.get(key)
            except FileNotFoundError:
                there = None
            if there is not None and there.data == data:
                return there.etag, there.written_ns
            raise Changed(f"{self._spoken(key)} was written by somebody else meanwhile") from error

    def upload(self, key: str, file: Path) -> None:
        """Write a file as an object, without holding it in memory."""

        def call() -> None:
            with file.open("rb") as body:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body)

        self._tried(key, call)

    def download(self, key: str, file: Path) -> None:
        """Write an object into a new file, without holding it in memory."""

        def call() -> None:
            body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            with file.open("wb") as target:
                for part in body.iter_chunks(2**20):
                    target.write(part)

        self._tried(key, call)

    def list_below(self, prefix: str) -> list[Listed]:
        """Return every object whose key begins so."""
        return [
            Listed(entry["Key"], entry["ETag"], entry["Size"]) for page in self._pages(Prefix=prefix) for entry in page.get("Contents", ())
        ]

    def list_folder(self, prefix: str) -> tuple[list[Listed], list[str]]:
        """Return the objects right below a prefix that ends with a slash, and the names of the folders there."""
        pages = list(self._pages(Prefix=prefix, Delimiter="/"))
        objects = [Listed(entry["Key"], entry["ETag"], entry["Size"]) for page in pages for entry in page.get("Contents", ())]
        folders = [entry["Prefix"][len(prefix) : -1] for page in pages for entry in page.get("CommonPrefixes", ())]
        return objects, folders

    def copy(self, key: str, target: str) -> None:
        """Copy an object within the bucket."""
        source = {"Bucket": self.bucket, "Key": key}
        self._tried(key, lambda: self._client.copy_object(Bucket=self.bucket, Key=target, CopySource=source))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is not there is none the worse."""
        rest = list(keys)
        while rest:
            batch, rest = rest[:_DELETED_AT_ONCE], rest[_DELETED_AT_ONCE:]
            objects = {"Objects": [{"Key": key} for key in batch], "Quiet": True}
            answer = self._tried(batch[0], functools.partial(self._client.delete_objects, Bucket=self.bucket, Delete=objects))
            for failed in answer.get("Errors", ()):
                raise OSError(errno.EIO, f"not deleted ({failed.get('Code')})", self._spoken(failed.get("Key", "")))

    def _pages(self, **options: str) -> Iterable[Mapping[str, Any]]:
        token: dict[str, str] = {}
        while True:
            call = functools.partial(self._client.list_objects_v2, Bucket=self.bucket, **options, **token)
            page: Mapping[str, Any] = self._tried(options["Prefix"], call)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _tried(self, key: str, call: Callable[[], T]) -> T:
        """Return what a call returns; again and again where it fails in a way that passes, with longer and longer waits."""
        started = time.monotonic()
        wait_s = _FIRST_WAIT_S
        told = False
        while True:
            try:
                answer = call()
            except Exception as error:
                reason = _passing(error)
                if reason is None:
                    raise self._explained(error, key) from error
                waited_s = time.monotonic() - started
                patience_s = PATIENCE_S if self._answered else FIRST_PATIENCE_S
                if waited_s >= patience_s:
                    words = f"no answer within {waited_s:.0f} s ({reason})"
                    if not self._answered:
                        raise OSError(errno.ENXIO, f"{words}; see AWS_ENDPOINT_URL and the network", self._spoken(key)) from error
                    raise OSError(errno.EIO, f"{words}; look after the store and the network", self._spoken(key)) from error
                if waited_s >= _SAID_AFTER_S and not told:
                    told = True
                    _log.warning("s3://%s does not answer (%s); trying for %.0f s in all", self.bucket, reason, patience_s)
                time.sleep(min(wait_s * random.uniform(0.5, 1.0), patience_s - waited_s))  # many workers must not come back as one
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                self._answered = True
                if told:
                    _log.warning("s3://%s answers again after %.0f s", self.bucket, time.monotonic() - started)
                return answer

    def _explained(self, error: Exception, key: str) -> Exception:
        """Return an error that does not pass as whoever handles a disk's errors knows it."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        place = self._spoken(key)
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            return OSError(errno.EACCES, _NO_CREDENTIALS, place)
        if not isinstance(error, ClientError):
            return OSError(errno.EIO, str(error), place) if isinstance(error, BotoCoreError) else error
        code, status = _code(error)
        if code == "PreconditionFailed" or status == 412:
            return Changed(f"{place} was written by somebody else meanwhile")
        if code in _HOPELESS:
            number, words = _HOPELESS[code]
            return OSError(number, words, f"s3://{self.bucket}" if code == "NoSuchBucket" else place)
        number = errno.EACCES if status == 403 else errno.EIO
        return OSError(number, f"{code}: {error.response.get('Error', {}).get('Message', '')}".rstrip(": "), place)

    def _spoken(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


@functools.cache
def bucket(name: str) -> ObjectStore:
    """Return the bucket of that name; one connection pool a process.

    Raises:
        Unsupported: boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise Unsupported(
            f"s3://{name}: object stores need boto3, which is not installed; install it with: pip install 'shortlist[s3]'"
        ) from error
    # One attempt: our own loop tries again, so that it can say what it waits for.
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_S, read_timeout=_READ_S, max_pool_connections=16)
    try:
        return ObjectStore(name, boto3.session.Session().client("s3", config=config))
    except Exception as error:  # a profile that is not there, an endpoint that is no URL
        raise OSError(errno.EACCES, f"no connection can be made ({error})", f"s3://{name}") from error


def _passing(error: Exception) -> str | None:
    """Return in a few words what may be over soon; None for an error that stays."""
    from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        code, status = _code(error)
        return code if (status >= 500 and status != 501) or status in (408, 409, 429) or code in _PASSING else None
    passing = (NoConnection, FlexibleChecksumError, HTTPClientError, IncompleteReadError, ResponseParserError)
    return type(error).__name__ if isinstance(error, passing) else None


def _code(error: Any) -> tuple[str, int]:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return str(error.response.get("Error", {}).get("Code", status)), int(status)
