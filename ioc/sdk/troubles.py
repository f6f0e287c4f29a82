"""What goes wrong between a department and the gateway, in sentences that say what to do. Pure."""

import asyncio
import os
import ssl

import aiohttp

from ioc.sdk.results import Trouble, Verdict

__all__ = ["busy", "locked_out", "network_trouble", "no_token", "redirected", "too_large", "unclear", "unknown_answer"]


def network_trouble(error: Exception, url: str) -> Trouble:
    """The trouble behind what aiohttp raised for a request to `url`."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _away(
            f"Không tìm thấy máy chủ của {url}; hãy kiểm tra địa chỉ và DNS của mạng này.",
            f"the host of {url} is not known; check the address, and this network's DNS",
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = _certificate_reason(error)
        return Trouble(
            problem="locked_out",
            vi=f"Không tin được chứng thư TLS của {url}: {why}. Hãy cài chứng thư gốc của trung tâm (ca_file=), "
            f"đừng tắt "
            f"kiểm tra.",
            en=f"the TLS certificate of {url} is not trusted: {why}. Give the centre's root certificate as "
            f"ca_file=; don't "
            f"turn the check off",
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientSSLError | ssl.SSLError):
        return Trouble(
            problem="locked_out",
            vi=f"{url} không bắt tay được TLS ({error}); có thể cổng này là HTTP, hoặc phiên bản TLS không hợp.",
            en=f"no TLS handshake with {url} ({error}); perhaps that port speaks plain HTTP, or the TLS versions "
            f"don't fit",
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _away(
            f"{url} không trả lời kết nối; tường lửa có thể đang chặn.",
            f"{url} does not answer a connection; a firewall may swallow it",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return _away(
            f"Không kết nối được tới {url} ({_system_reason(error.os_error)}); cổng nhận dữ liệu có đang chạy?",
            f"no connection to {url} ({_system_reason(error.os_error)}); is the gateway running?",
        )
    if isinstance(error, asyncio.TimeoutError):
        return unclear(
            f"{url} nhận yêu cầu nhưng không trả lời kịp.", f"{url} took the request and did not answer in time"
        )
    return unclear(
        f"Kết nối tới {url} bị đứt giữa chừng ({type(error).__name__}).",
        f"the connection to {url} broke off ({type(error).__name__})",
    )


def _away(vi: str, en: str) -> Trouble:
    return Trouble(problem="away", vi=vi, en=en)


def _system_reason(error: OSError) -> str:
    """The system's own words: asyncio writes the address into `strerror`."""
    return os.strerror(error.errno) if error.errno else str(error)


def _certificate_reason(error: aiohttp.ClientConnectorCertificateError) -> str:
    inner = error.certificate_error
    return inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else str(inner)


def busy(status: int, retry_after_s: float | None, vi: str, en: str) -> Trouble:
    return Trouble(
        problem="busy",
        retry_after_s=retry_after_s,
        vi=vi or f"Cổng nhận dữ liệu đang bận (HTTP {status}); sẽ gửi lại.",
        en=en or f"the gateway is busy (HTTP {status}); it will be tried again",
    )


def locked_out(status: int, url: str) -> Trouble:
    """401, 403, 404 and whatever else the events are not to blame for."""
    if status in (401, 403):
        return Trouble(
            problem="locked_out",
            vi=f"{url} không nhận mã truy cập (HTTP {status}): mã sai, hết hạn hoặc đã đổi. Sự kiện vẫn nằm trong "
            f"hàng chờ; "
            f"hãy xin mã mới của trung tâm.",
            en=f"{url} does not take the token (HTTP {status}): wrong, expired or rotated. Events stay in the "
            f"spool; ask the "
            f"centre for the new token",
        )
    return Trouble(
        problem="locked_out",
        vi=f"{url} trả lời HTTP {status}: địa chỉ này không phải cổng nhận dữ liệu; hãy kiểm tra url.",
        en=f"{url} answers HTTP {status}: this address is not the gateway's; check url",
    )


def no_token(why: str) -> Trouble:
    return Trouble(problem="locked_out", vi=f"Không đọc được mã truy cập: {why}.", en=why)


def redirected(status: int, url: str, location: str) -> Trouble:
    return Trouble(
        problem="locked_out",
        vi=f"{url} chuyển hướng (HTTP {status}) sang {location[:200]!r}; mã truy cập không được gửi theo. Hãy ghi "
        f"url đúng.",
        en=f"{url} redirects (HTTP {status}) to {location[:200]!r}, and the token does not go along; write the "
        f"right url",
    )


def too_large(refusal: Verdict) -> Trouble:
    return Trouble(problem="too_large", vi=refusal.vi, en=refusal.en, refusal=refusal)


def unclear(vi: str, en: str, refusal: Verdict | None = None) -> Trouble:
    return Trouble(problem="unclear", vi=vi, en=en, refusal=refusal)


def unknown_answer(url: str, status: int) -> Trouble:
    """An answer that is no answer: a page of a proxy, or as many results as there were no events."""
    return unclear(
        f"{url} trả lời HTTP {status} nhưng nội dung không phải của cổng nhận dữ liệu; có thể do proxy ở giữa.",
        f"{url} answers HTTP {status} with something that is not the gateway's; perhaps a proxy's page",
    )
