"""What `ioc doctor` may find between a publisher and the centre: each finding a sentence and what to do. Pure."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FINDINGS", "Finding", "Status", "finding"]

Status = Literal["ok", "skipped", "warning", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at. `code` is stable; `fix_vi` and `fix_en` are empty where there is nothing to mend."""

    code: str
    status: Status
    vi: str
    en: str
    fix_vi: str = ""
    fix_en: str = ""


FINDINGS: dict[str, tuple[Status, str, str, str, str]] = {
    # ---- the way to Kafka
    "reached": ("ok", "Máy chủ Kafka {place} trả lời.", "Kafka at {place} answers.", "", ""),
    "dns_unknown": (
        "fault",
        "Không có địa chỉ nào mang tên {host}.",
        "no address is known by the name {host}.",
        "Kiểm tra chính tả trong IOC_BROKER và máy chủ DNS của máy này.",
        "check the spelling in IOC_BROKER, and this machine's DNS server.",
    ),
    "refused": (
        "fault",
        "Máy {host} có trả lời, nhưng không có gì nghe ở cổng {port}.",
        "{host} is there, but nothing listens on port {port}.",
        "Kiểm tra cổng trong IOC_BROKER; hỏi quản trị xem Kafka có đang chạy không.",
        "check the port in IOC_BROKER; ask the administrator whether Kafka is running.",
    ),
    "no_answer": (
        "fault",
        "{place} im lặng trong {seconds:g} giây: địa chỉ sai hoặc bị tường lửa chặn.",
        "{place} kept silent for {seconds:g} s: a wrong address, or a firewall in between.",
        "Nhờ quản trị mạng mở đường TCP từ máy này đến {place}.",
        "have the network's administrator open TCP from this machine to {place}.",
    ),
    "unreachable": (
        "fault",
        "Không đến được {place} ({said}).",
        "{place} can't be reached ({said}).",
        "Kiểm tra mạng của máy này và IOC_BROKER.",
        "check this machine's network, and IOC_BROKER.",
    ),
    "not_kafka": (
        "fault",
        "Có dịch vụ trả lời ở {place}, nhưng đó không phải Kafka ({said}).",
        "something answers at {place}, but it is not Kafka ({said}).",
        "Kiểm tra cổng trong IOC_BROKER: Kafka thường ở 9092 hoặc 9093, cổng HTTP ở chỗ khác.",
        "check the port in IOC_BROKER: Kafka usually has 9092 or 9093, HTTP doors have others.",
    ),
    "advertised_unreachable": (
        "fault",
        "Kafka bảo máy khách kết nối {advertised}, nhưng từ máy này không đến được ({said}).",
        "Kafka tells clients to go to {advertised}, which this machine can't reach ({said}).",
        "Quản trị Kafka đặt advertised.listeners là tên mà các sở phân giải được, hoặc mở đường TCP đến đó.",
        "Kafka's administrator sets advertised.listeners to a name that departments can resolve, or opens TCP to it.",
    ),
    # ---- TLS
    "needs_tls": (
        "fault",
        "{place} chỉ nói TLS, còn thiết lập này nói không mã hóa.",
        "{place} speaks TLS only, and these settings speak in clear text.",
        "Đặt IOC_KAFKA_CA là tệp PEM của trung tâm, cùng IOC_KAFKA_USER và IOC_KAFKA_PASSWORD_FILE "
        "(Java/librdkafka: security.protocol=SASL_SSL).",
        "set IOC_KAFKA_CA to the centre's PEM file, with IOC_KAFKA_USER and IOC_KAFKA_PASSWORD_FILE "
        "(Java, librdkafka: security.protocol=SASL_SSL).",
    ),
    "no_tls_here": (
        "fault",
        "{place} là Kafka không mã hóa, còn thiết lập này đòi TLS.",
        "{place} is Kafka in clear text, and these settings ask for TLS.",
        "Dùng cổng TLS của Kafka; chỉ khi trung tâm thật sự không dùng TLS mới đặt IOC_KAFKA_SECURITY=PLAINTEXT "
        "(hoặc SASL_PLAINTEXT).",
        "use Kafka's TLS port; only where the centre really has none set IOC_KAFKA_SECURITY=PLAINTEXT "
        "(or SASL_PLAINTEXT).",
    ),
    "trusted": ("ok", "Chứng chỉ của {place} đáng tin.", "the certificate of {place} is trusted.", "", ""),
    "unknown_ca": (
        "fault",
        "Chứng chỉ của {place} do một tổ chức mà {trust} không biết ký.",
        "the certificate of {place} is signed by an authority that {trust} does not know.",
        "Đặt IOC_KAFKA_CA là tệp ca.pem do trung tâm cấp; đừng tắt việc kiểm tra chứng chỉ.",
        "set IOC_KAFKA_CA to the ca.pem that the centre gave you; don't switch the check off.",
    ),
    "wrong_host_name": (
        "fault",
        "Chứng chỉ của {place} cấp cho tên khác ({said}).",
        "the certificate of {place} is for another name ({said}).",
        "Dùng trong IOC_BROKER đúng tên ghi trên chứng chỉ, hoặc xin chứng chỉ có thêm tên {host}.",
        "use in IOC_BROKER the name that the certificate carries, or have a certificate made that has {host} too.",
    ),
    "expired_certificate": (
        "fault",
        "Chứng chỉ của {place} không còn (hoặc chưa) hiệu lực ({said}).",
        "the certificate of {place} is not valid now ({said}).",
        "Kiểm tra giờ của máy này; nếu đúng, quản trị Kafka phải gia hạn chứng chỉ.",
        "check this machine's clock; if it is right, Kafka's administrator must renew the certificate.",
    ),
    "tls_failed": (
        "fault",
        "Không lập được TLS với {place} ({said}).",
        "TLS with {place} failed ({said}).",
        "Hỏi quản trị Kafka về phiên bản TLS và việc có đòi chứng chỉ của máy khách không.",
        "ask Kafka's administrator which TLS versions it takes, and whether it wants a client's certificate.",
    ),
    # ---- the login
    "needs_login": (
        "fault",
        "{place} đòi đăng nhập (SASL), còn thiết lập này không có người dùng.",
        "{place} asks for a login (SASL), and these settings have no user.",
        "Đặt IOC_KAFKA_USER và IOC_KAFKA_PASSWORD_FILE (Java/librdkafka: security.protocol=SASL_SSL).",
        "set IOC_KAFKA_USER and IOC_KAFKA_PASSWORD_FILE (Java, librdkafka: security.protocol=SASL_SSL).",
    ),
    "no_login_here": (
        "fault",
        "{place} không hỏi mật khẩu, còn thiết lập này gửi người dùng {user}.",
        "{place} asks for no login, and these settings send user {user}.",
        "Bỏ IOC_KAFKA_USER, hoặc dùng cổng có đăng nhập của Kafka.",
        "take IOC_KAFKA_USER away, or use Kafka's port with a login.",
    ),
    "wrong_mechanism": (
        "fault",
        "Kafka không nhận cách đăng nhập {mechanism}; nó nhận: {offered}.",
        "Kafka does not take logins by {mechanism}; it takes {offered}.",
        "Đặt IOC_KAFKA_MECHANISM (Java/librdkafka: sasl.mechanism) là một trong số đó.",
        "set IOC_KAFKA_MECHANISM (Java, librdkafka: sasl.mechanism) to one of them.",
    ),
    "unknown_user": (
        "fault",
        "Kafka không biết người dùng {user} (theo {mechanism}).",
        "Kafka knows no user {user} (by {mechanism}).",
        "Kiểm tra chính tả của IOC_KAFKA_USER, hoặc xin trung tâm tạo người dùng này.",
        "check the spelling of IOC_KAFKA_USER, or have the centre make this user.",
    ),
    "wrong_password": (
        "fault",
        "Mật khẩu của người dùng {user} sai.",
        "the password of user {user} is wrong.",
        "Lấy lại mật khẩu ở trung tâm; tệp IOC_KAFKA_PASSWORD_FILE chỉ chứa đúng mật khẩu.",
        "get the password from the centre again; the file of IOC_KAFKA_PASSWORD_FILE holds the password alone.",
    ),
    "wrong_user_or_password": (
        "fault",
        "Người dùng {user} hoặc mật khẩu sai (PLAIN không cho biết cái nào).",
        "user {user} or the password is wrong (PLAIN does not tell which).",
        "Lấy lại cả hai ở trung tâm.",
        "get both from the centre again.",
    ),
    "impostor": (
        "fault",
        "{place} không chứng minh được rằng nó biết mật khẩu: có thể là máy giả mạo.",
        "{place} could not prove that it knows the password: it may be an impostor.",
        "Ngừng gửi và báo cho trung tâm.",
        "stop sending and tell the centre.",
    ),
    "entered": ("ok", "Kafka nhận người dùng {user}.", "Kafka lets user {user} in.", "", ""),
    # ---- topics and rights
    "unknown_topic": (
        "fault",
        "Danh mục không có topic {topic}.{meant_vi}",
        "the catalogue has no topic {topic}.{meant_en}",
        "Sửa tên topic trong chương trình gửi.",
        "correct the topic's name in the publishing program.",
    ),
    "topic_missing": (
        "fault",
        "Topic {topic} có trong danh mục nhưng chưa có trên Kafka{more}.",
        "topic {topic} is in the catalogue, but not on Kafka yet{more}.",
        "Quản trị chạy: ioc topics apply",
        "the administrator runs: ioc topics apply",
    ),
    "partition_count": (
        "fault",
        "Topic {topic} có {has} phân vùng, danh mục cần {needs}{more}.",
        "topic {topic} has {has} partitions, the catalogue needs {needs}{more}.",
        "Quản trị sửa danh mục hoặc tạo lại topic; số phân vùng của topic có dữ liệu không được đổi.",
        "the administrator corrects the catalogue, or makes the topic anew; a count is never changed in place.",
    ),
    "topics": ("ok", "{count} topic đúng như danh mục.", "{count} topics are as the catalogue says.", "", ""),
    "not_your_topic": (
        "fault",
        "Theo danh mục, {publisher} không gửi vào topic {topic}.",
        "by the catalogue, {publisher} does not publish to topic {topic}.",
        "Gửi vào topic của mình ({own}), hoặc xin trung tâm thêm quyền trong publishers.yaml.",
        "publish to its own topics ({own}), or have the centre add the right in publishers.yaml.",
    ),
    "missing_right": (
        "fault",
        "User:{user} không có quyền WRITE vào topic {topic}{more}.",
        "User:{user} lacks the right WRITE on topic {topic}{more}.",
        "Quản trị chạy: ioc topics apply; hoặc: kafka-acls --bootstrap-server {broker} --command-config "
        "admin.properties --add --allow-principal User:{user} --operation Write --topic {topic}",
        "the administrator runs: ioc topics apply; or: kafka-acls --bootstrap-server {broker} --command-config "
        "admin.properties --add --allow-principal User:{user} --operation Write --topic {topic}",
    ),
    "rights": (
        "ok",
        "User:{user} được gửi vào {count} topic của {publisher}.",
        "User:{user} may write the {count} topics of {publisher}.",
        "",
        "",
    ),
    # ---- the clock
    "clock": ("ok", "Giờ của máy này lệch {skew_s:.1f} giây.", "this machine's clock is {skew_s:.1f} s off.", "", ""),
    "clock_skew": (
        "warning",
        "Giờ của máy này {side_vi} {minutes:.0f} phút so với {than_vi}.",
        "this machine's clock is {minutes:.0f} minutes {side_en} that of {than_en}.",
        "Bật đồng bộ giờ (NTP/chrony), kiểm tra múi giờ: sự kiện sớm hơn giờ trung tâm 15 phút sẽ bị từ chối.",
        "switch time synchronisation on (NTP, chrony) and check the time zone: events 15 minutes ahead are refused.",
    ),
    "clock_unknown": (
        "skipped",
        "Chưa so được giờ: {said}.",
        "the clock was not compared: {said}.",
        "Quản trị chạy ioc topics apply, hoặc thêm --gateway URL.",
        "the administrator runs ioc topics apply, or add --gateway URL.",
    ),
    # ---- the partitioner
    "partitioner": (
        "ok",
        "{count} bản ghi mới nhất nằm đúng phân vùng (murmur2).",
        "the newest {count} records lie where murmur2 puts them.",
        "",
        "",
    ),
    "wrong_partitioner": (
        "fault",
        "{wrong} trong {count} bản ghi mới nhất nằm sai phân vùng: chương trình gửi dùng {blamed}; số liệu vẫn đúng, "
        "nhưng mỗi bản ghi phải đi hai lần.",
        "{wrong} of the newest {count} records lie on the wrong partition: the producer uses {blamed}; figures stay "
        "exact, but each such record travels twice.",
        "{how_vi}",
        "{how_en}",
    ),
    "partitioner_unknown": (
        "skipped",
        "Chưa xem được cách chia phân vùng: {said_vi}.",
        "the partitioner was not looked at: {said_en}.",
        "",
        "",
    ),
    # ---- an event
    "event": (
        "ok",
        "Sự kiện hợp lệ: topic {topic}, khóa {key}.",
        "the event is valid: topic {topic}, key {key}.",
        "",
        "",
    ),
    "invalid_event": (
        "fault",
        "Sự kiện bị từ chối ({reason}{field}): {said_vi}",
        "the event is refused ({reason}{field}): {said_en}",
        "Sửa như câu trên rồi kiểm tra lại.",
        "mend what the sentence says, and look again.",
    ),
    # ---- the gateway
    "gateway": ("ok", "Cổng HTTP nhận mã truy cập.", "the gateway takes the token.", "", ""),
    "gateway_ready": ("ok", "Cổng HTTP sẵn sàng.", "the gateway is ready.", "", ""),
    "gateway_unreachable": (
        "fault",
        "Không đến được cổng HTTP {url} ({said}).",
        "the gateway at {url} can't be reached ({said}).",
        "Kiểm tra địa chỉ, DNS, tường lửa và chứng chỉ; cổng thường ở 8080.",
        "check the address, DNS, firewall and certificate; its usual port is 8080.",
    ),
    "gateway_other": (
        "fault",
        "{url} trả lời {answer}: đó không phải cổng IOC.",
        "{url} answers {answer}: that is no IOC gateway.",
        "Kiểm tra địa chỉ: https://máy[:cổng], không kèm /v1.",
        "check the address: https://host[:port], without /v1.",
    ),
    "gateway_token_unknown": (
        "fault",
        "Cổng HTTP không nhận mã truy cập này (401).",
        "the gateway does not take this token (401).",
        "Xin cấp mã mới: ioc gateway token issue TÊN; tệp chỉ chứa đúng mã, không có dấu cách.",
        "have a new one issued: ioc gateway token issue NAME; the file holds the token alone.",
    ),
    "gateway_forbidden": (
        "fault",
        "Mã truy cập đúng nhưng không được phép (403): {said}",
        "the token is known, but may not do this (403): {said}",
        "Xin trung tâm sửa publishers.yaml.",
        "have the centre correct publishers.yaml.",
    ),
    "gateway_busy": (
        "warning",
        "Đơn vị đang gửi quá hạn mức (429).",
        "the department sends more than its rate (429).",
        "Chờ theo Retry-After ({retry_s} giây) và gửi theo lô.",
        "wait as Retry-After says ({retry_s} s), and send in batches.",
    ),
    "gateway_unavailable": (
        "fault",
        "Cổng HTTP chưa làm việc được (503): {said}",
        "the gateway can't do its work (503): {said}",
        "Giữ sự kiện lại và gửi lại sau; báo trung tâm nếu kéo dài.",
        "keep the events and send them again later; tell the centre if it lasts.",
    ),
    # ---- no time left
    "too_slow": (
        "fault",
        "Bước “{step}” không xong trong {seconds:g} giây.",
        "the step “{step}” did not end within {seconds:g} s.",
        "Kafka hoặc đường mạng quá chậm; chạy lại, rồi báo trung tâm.",
        "Kafka or the network is too slow; run it again, then tell the centre.",
    ),
}
"""Status, sentence vi and en, what to do vi and en, by code."""


def finding(code: str, status: Status | None = None, /, **facts: object) -> Finding:
    """Returns the finding of this code about these facts; `status` where the facts make it milder or graver."""
    usual, *texts = FINDINGS[code]
    vi, en, fix_vi, fix_en = (text.format(**facts) for text in texts)
    return Finding(code=code, status=status or usual, vi=vi, en=en, fix_vi=fix_vi, fix_en=fix_en)
