"""Who may come in, and how often: the bearer token of a request to its department."""

from collections.abc import Callable, Mapping

from ioc.clock import Clock
from ioc.gateway.limits import RateLimit, too_many
from ioc.gateway.problems import Problem
from ioc.gateway.tokens import TokenVerifier
from ioc.publishers import Publisher

__all__ = ["Doorkeeper"]


class Doorkeeper:
    """Knows every department by its tokens."""

    def __init__(
        self,
        publishers: Mapping[str, Publisher],
        verifier: TokenVerifier,
        *,
        rate: RateLimit,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._publishers, self._verifier, self._rate = publishers, verifier, rate
        self._clock, self._monotonic = clock, monotonic

    def publisher_of(self, authorization: bytes) -> Publisher:
        """Returns the department whose token the header `Authorization` shows.

        Raises:
            Problem: 401 no valid token; 403 its department is no longer in the catalogue.
        """
        scheme, _, text = authorization.strip().partition(b" ")
        if scheme.lower() != b"bearer":
            raise _unauthorized("missing_token", "")
        identity = self._verifier.identify(text.strip().decode("latin-1"), self._clock())
        if identity is None:
            raise _unauthorized("bad_token", ', error="invalid_token"')
        publisher = self._publishers.get(identity.publisher)
        if publisher is None:
            raise Problem(
                403,
                "unknown_publisher",
                vi=f"Đơn vị {identity.publisher} không còn trong danh mục publishers.yaml.",
                en=f"the department {identity.publisher} is not in publishers.yaml any more",
            )
        return publisher

    def charge(self, publisher: Publisher, events: int) -> None:
        """Takes so many events from the department's rate.

        Raises:
            Problem: 429 with Retry-After.
        """
        wait_s = self._rate.wait_s(publisher.name, events, self._monotonic())
        if wait_s:
            raise too_many(wait_s)


def _unauthorized(reason: str, parameter: str) -> Problem:
    return Problem(
        401,
        reason,
        field="authorization",
        vi="Cần mã truy cập còn hiệu lực của đơn vị trong header Authorization: Bearer ioc_…; xin cấp lại ở trung tâm.",
        en="a valid token of the department is needed: header Authorization: Bearer ioc_…; ask the centre for one",
        headers={"WWW-Authenticate": f'Bearer realm="ioc"{parameter}'},
    )
