"""The alerts on the product itself: what is wrong, in both languages, and the page that says what to do.

One list feeds the Prometheus rules and the names that the boards show for a firing alert.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ioc.wall.promql import EVENTS_UNACCOUNTED, FIGURES_BEHIND, RECORDED_STALE

__all__ = ["KPI_MISSED", "PIPELINE_ALERTS", "AlertName", "PipelineAlert", "Severity"]

Severity = Literal["none", "warning", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertName:
    """What an alert is called: its Prometheus name and the words of both languages."""

    alert: str
    name_vi: str
    name_en: str
    runbook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineAlert(AlertName):
    """One alert rule. The descriptions are Prometheus templates (`$labels`, `$value`) and hold what to do first."""

    expr: str
    lasts: timedelta
    severity: Severity
    description_vi: str
    description_en: str


KPI_MISSED = AlertName(
    alert="IocKpiTargetMissed",
    name_vi="Chỉ số không đạt mục tiêu",
    name_en="Figure misses its target",
    runbook="kpi-target-missed",
)

# Fewer rejected events than this in a quarter of an hour are somebody's typing, more are a source gone wrong.
_REJECTED_PER_15_MIN = 20
# On-call's heart beats every minute: three in a row are no slow scrape.
_HEARTBEAT_S = 180
# At the measured 90,000 events/s a worker that lives clears this in well under a second.
_LAG_RECORDS = 10_000
# Frames may be skipped for a moment; more than this for minutes is a worker that is too small.
_SKIPPED_SHARE = 0.2
_FAILED_SHARE = 0.05
# Half an hour of an hour: a camera that is mended at once calls nobody.
_UNSEEN_SHARE = 0.5
# On-call sweeps once a day: two that did not end are no slow store.
_SWEEP_S = 2 * 86_400

PIPELINE_ALERTS: tuple[PipelineAlert, ...] = (
    PipelineAlert(
        alert="IocServiceDown",
        name_vi="Dịch vụ không trả lời",
        name_en="Service does not answer",
        runbook="service-down",
        # Cameras are captured where they are: a capture that never ran at this address is not missed.
        expr='up{job=~"ioc-.+"} == 0 unless max_over_time(up{job="ioc-capture"}[7d]) == 0',
        lasts=timedelta(minutes=1),
        severity="critical",
        description_vi="Prometheus không đọc được {{ $labels.job }} tại {{ $labels.instance }}. "
        "Xem nhật ký của dịch vụ rồi khởi động lại.",
        description_en="Prometheus can't read {{ $labels.job }} at {{ $labels.instance }}. "
        "Look at the service's log, then restart it.",
    ),
    PipelineAlert(
        alert="IocWorkerMissing",
        name_vi="Không có máy xử lý nào",
        name_en="No worker at all",
        runbook="service-down",
        expr='absent(up{job="ioc-worker"} == 1)',
        lasts=timedelta(minutes=1),
        severity="critical",
        description_vi="Không máy xử lý nào đang chạy: không sự kiện hay khung hình nào được xử lý. "
        "Khởi động `ioc worker`; kiểm tra tệp đích của Prometheus.",
        description_en="No worker runs: no event or frame is processed. Start `ioc worker`; "
        "check the targets of Prometheus.",
    ),
    PipelineAlert(
        alert="IocOncallSilent",
        name_vi="Dịch vụ trực ban im lặng",
        name_en="On-call is silent",
        runbook="oncall-silent",
        expr='absent(up{job="ioc-oncall"} == 1)'
        f" or time() - max(ioc_oncall_heartbeat_timestamp_seconds) > {_HEARTBEAT_S}",
        lasts=timedelta(minutes=1),
        severity="critical",
        description_vi="Dịch vụ trực ban không chạy, hoặc chạy mà không làm việc được: không ai được báo sự cố. "
        "Cảnh báo này không đi qua nó. Mở nhật ký của `ioc oncall`, kiểm tra đĩa và cơ sở dữ liệu.",
        description_en="On-call does not run, or runs and can't work: nobody is told of incidents. "
        "This alert does not go through it. Open the log of `ioc oncall`, check its disk and its database.",
    ),
    PipelineAlert(
        alert="IocConsumerLag",
        name_vi="Bản ghi dồn ứ",
        name_en="Records pile up",
        runbook="consumer-lag",
        expr=f"sum by (topic) (ioc_consumer_lag_records) > {_LAG_RECORDS}",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="{{ $value }} bản ghi của {{ $labels.topic }} chờ xử lý đã hơn 5 phút. "
        "Số liệu đang chậm hơn thực tế; xem máy xử lý có bị quá tải hay treo.",
        description_en="{{ $value }} records of {{ $labels.topic }} have waited for over 5 minutes. "
        "Figures lag behind; see whether the worker is overloaded or hangs.",
    ),
    PipelineAlert(
        alert="IocEventsUnaccounted",
        name_vi="Sự kiện vào không khớp sự kiện ra",
        name_en="Events in differ from events out",
        runbook="events-unaccounted",
        expr=f"({EVENTS_UNACCOUNTED}) != 0",
        lasts=timedelta(minutes=2),
        severity="critical",
        description_vi="{{ $value }} sự kiện của {{ $labels.topic }} đã vào mà không được nhận, không trùng, "
        "không bị từ chối. Đừng dùng số liệu của nguồn này cho đến khi rõ nguyên nhân.",
        description_en="{{ $value }} events of {{ $labels.topic }} came in and were neither accepted, duplicate nor "
        "rejected. Do not rely on this source's figures until the cause is known.",
    ),
    PipelineAlert(
        alert="IocFigureStale",
        name_vi="Chỉ số cũ",
        name_en="Figure is stale",
        runbook="figure-stale",
        expr=f"{RECORDED_STALE} == 1",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="Chỉ số {{ $labels.kpi }} ({{ $labels.window }}) không còn được cập nhật. "
        "Hỏi đơn vị gửi số liệu; bảng điều hành đang đánh dấu CŨ.",
        description_en="The figure {{ $labels.kpi }} ({{ $labels.window }}) is no longer updated. "
        "Ask the department that reports it; the wall marks it STALE.",
    ),
    PipelineAlert(
        alert="IocCameraBlind",
        name_vi="Camera không gửi khung hình",
        name_en="Camera sends no frames",
        runbook="camera-blind",
        # A series that was there a quarter of an hour ago and is gone (a worker restarted) is as blind as one at rest.
        expr="sum by (camera) (rate(ioc_frames_total[5m])) == 0"
        " or (sum by (camera) (ioc_frames_total offset 15m) * 0 unless on (camera) sum by (camera) (ioc_frames_total))",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="Camera {{ $labels.camera }} không có khung hình nào đã hơn 5 phút: khu vực của nó không được "
        "trông coi. Kiểm tra nguồn, đường truyền và tiến trình thu hình.",
        description_en="Camera {{ $labels.camera }} has sent no frame for over 5 minutes: nobody watches its area. "
        "Check its power, its line and the capture process.",
    ),
    PipelineAlert(
        alert="IocCameraOffline",
        name_vi="Camera mất kết nối",
        name_en="Camera is offline",
        runbook="camera-blind",
        # Capture knows within seconds why no picture comes; the camera that is blind for another reason is found above.
        expr="max by (camera) (ioc_capture_online) == 0",
        lasts=timedelta(minutes=2),
        severity="warning",
        description_vi="Tiến trình thu hình không lấy được ảnh của camera {{ $labels.camera }} đã hơn 2 phút. "
        "Chạy `ioc capture check --only {{ $labels.camera }}`: lệnh nói vì sao và phải làm gì.",
        description_en="Capture has had no picture of camera {{ $labels.camera }} for over 2 minutes. "
        "Run `ioc capture check --only {{ $labels.camera }}`: it says why, and what to do.",
    ),
    PipelineAlert(
        alert="IocCameraUnseen",
        name_vi="Camera có hình mà không ai nhìn được",
        name_en="Nobody can see through a camera",
        runbook="coverage",
        # Fog and darkness are no faults: nobody can mend them. They stand in the figure of the coverage, and so do
        # cameras without frames, which alerts of their own tell.
        expr="sum by (camera) (increase(ioc_camera_uncovered_minutes_total"
        '{reason!~"offline|darkness|visibility_degraded|degraded"}[1h]))'
        f" / sum by (camera) (increase(ioc_camera_expected_minutes_total[1h])) > {_UNSEEN_SHARE}",
        lasts=timedelta(minutes=10),
        severity="warning",
        description_vi="Camera {{ $labels.camera }} có hình, mà {{ $value | humanizePercentage }} số phút của giờ "
        "qua không nhìn được (hỏng, bị che, mất cảnh, quá tải). Mở bảng camera để xem lý do.",
        description_en="Camera {{ $labels.camera }} sends frames, and for {{ $value | humanizePercentage }} of the "
        "past hour nothing could be seen (a fault, masked, scene lost, overload). The board of the cameras says why.",
    ),
    PipelineAlert(
        alert="IocCaseNewsSilent",
        name_vi="Ảnh không vào hồ sơ sự cố",
        name_en="Stills do not join incidents",
        runbook="evidence",
        expr="min by (instance) (ioc_case_news_up) == 0",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="Máy xử lý {{ $labels.instance }} không đọc được nhật ký sự cố đã hơn 5 phút: sự cố mới không "
        "có ảnh bằng chứng. Sau 15 phút ảnh tạm bị xóa, không lấy lại được.",
        description_en="The worker {{ $labels.instance }} has not read the log of incidents for over 5 minutes: new "
        "incidents get no stills. After 15 minutes the stills at hand are gone for good.",
    ),
    PipelineAlert(
        alert="IocEvidenceSweepStale",
        name_vi="Kho bằng chứng không được dọn",
        name_en="Evidence is not swept",
        runbook="evidence",
        expr=f"time() - max(ioc_evidence_last_sweep_seconds) > {_SWEEP_S}",
        lasts=timedelta(minutes=30),
        severity="warning",
        description_vi="Đã hơn hai ngày không lần dọn kho bằng chứng nào xong: ảnh hết hạn lưu vẫn còn, đĩa đầy dần. "
        "Xem nhật ký của `ioc oncall`.",
        description_en="No sweep of the evidence store has ended for over two days: stills past their time are still "
        "there, and the disk fills. See the log of `ioc oncall`.",
    ),
    PipelineAlert(
        alert="IocDeadLettersRising",
        name_vi="Nhiều sự kiện bị từ chối",
        name_en="Many events rejected",
        runbook="dead-letters",
        # `increase` does not see the value that a counter is born with: the second half catches a source that was
        # never rejected before.
        expr=f'sum by (topic) (increase(ioc_events_total{{outcome="rejected"}}[15m])) > {_REJECTED_PER_15_MIN}'
        f' or (sum by (topic) (ioc_events_total{{outcome="rejected"}}) > {_REJECTED_PER_15_MIN}'
        ' unless on (topic) sum by (topic) (ioc_events_total{outcome="rejected"} offset 15m))',
        lasts=timedelta(0),
        severity="warning",
        description_vi="{{ $value | humanize }} sự kiện của {{ $labels.topic }} bị từ chối trong 15 phút. "
        "Xem lý do bằng `ioc dlq list` và báo đơn vị gửi.",
        description_en="{{ $value | humanize }} events of {{ $labels.topic }} were rejected in 15 minutes. "
        "Read the reasons with `ioc dlq list` and tell the publisher.",
    ),
    PipelineAlert(
        alert="IocFiguresMissing",
        name_vi="Không có chỉ số nào",
        name_en="No figures at all",
        runbook="service-down",
        expr="absent(ioc_kpi_stale)",
        lasts=timedelta(minutes=2),
        severity="critical",
        description_vi="Không bản nào xuất chỉ số: màn hình tỉnh trống. Kafka không trả lời, hoặc vai trò `figures` "
        "của máy xử lý không chạy: khởi động nó; nó đọc lại Kafka trước khi xuất số liệu.",
        description_en="Nobody exports figures: the wall is empty. Kafka does not answer, or the worker's role "
        "`figures` does not run: start it; it reads Kafka again before it exports any.",
    ),
    PipelineAlert(
        alert="IocFiguresBehind",
        name_vi="Một bản xuất chỉ số bị bỏ lại",
        name_en="An exporter of figures is left behind",
        runbook="service-down",
        expr=f"{FIGURES_BEHIND} > 0",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="{{ $labels.instance }} báo {{ $value }} chỉ số cũ hơn bản khác: nó đã đứt khỏi Kafka mà "
        "không biết. Màn hình không dùng số của nó. Khởi động lại nó.",
        description_en="{{ $labels.instance }} tells {{ $value }} figures older than another exporter: it was cut off "
        "from Kafka and does not know. The wall does not show them. Restart it.",
    ),
    PipelineAlert(
        alert="IocFiguresLeftOut",
        name_vi="Không xuất hết số liệu đơn vị",
        name_en="Not all units' figures are exported",
        runbook="figures-left-out",
        expr="max by (kpi) (ioc_kpi_figures_left_out) > 0",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="{{ $value }} số liệu theo đơn vị của chỉ số {{ $labels.kpi }} không có ở đây: tỉnh vượt số dãy "
        "được phép. Số toàn tỉnh vẫn đủ. Bớt kỳ hoặc bớt nhóm trong danh mục.",
        description_en="{{ $value }} figures of units of {{ $labels.kpi }} are not here: the province has more series "
        "than it may. The province's own figure is there. Drop periods or groups in the catalogue.",
    ),
    PipelineAlert(
        alert="IocSourceLate",
        name_vi="Nguồn trễ hẹn",
        name_en="Source is late",
        runbook="figure-stale",
        # Of several exporters the one that has heard the source is right.
        expr="max by (province, source) (ioc_source_alive) == 0",
        lasts=timedelta(minutes=5),
        severity="warning",
        description_vi="Nguồn {{ $labels.source }} không giữ hẹn cập nhật của mình. Hỏi đơn vị gửi.",
        description_en="The source {{ $labels.source }} does not keep its freshness promise. Ask its department.",
    ),
    PipelineAlert(
        alert="IocFramesSkipped",
        name_vi="Bỏ qua nhiều khung hình",
        name_en="Many frames skipped",
        runbook="consumer-lag",
        expr='sum(rate(ioc_frames_total{outcome="skipped"}[10m])) / sum(rate(ioc_frames_total[10m]))'
        f" > {_SKIPPED_SHARE}",
        lasts=timedelta(minutes=10),
        severity="warning",
        description_vi="{{ $value | humanizePercentage }} khung hình bị bỏ qua vì quá tải: khói có thể bị thấy muộn. "
        "Thêm một máy xử lý `frames`, hoặc giảm nhịp thu hình.",
        description_en="{{ $value | humanizePercentage }} of the frames are skipped under load: smoke may be seen "
        "late. Add a worker with the role `frames`, or capture less often.",
    ),
    PipelineAlert(
        alert="IocGatewayFailing",
        name_vi="Cổng nhận lỗi",
        name_en="Gateway fails",
        runbook="service-down",
        expr='sum(rate(ioc_gateway_requests_total{status=~"5.."}[5m])) / sum(rate(ioc_gateway_requests_total[5m]))'
        f" > {_FAILED_SHARE}",
        lasts=timedelta(minutes=5),
        severity="critical",
        description_vi="{{ $value | humanizePercentage }} yêu cầu của các đơn vị bị trả lời 5xx. Xem Kafka và nhật ký "
        "của `ioc gateway`; các đơn vị phải gửi lại.",
        description_en="{{ $value | humanizePercentage }} of the departments' requests are answered 5xx. Look at Kafka "
        "and the log of `ioc gateway`; the departments have to send again.",
    ),
    PipelineAlert(
        alert="IocGatewayUnaccounted",
        name_vi="Cổng: vào không khớp ra",
        name_en="Gateway: in differs from out",
        runbook="events-unaccounted",
        expr='(sum by (publisher) (ioc_gateway_events_total{outcome="in"})'
        ' - sum by (publisher) (ioc_gateway_events_total{outcome=~"accepted|duplicate|rejected"})) != 0',
        lasts=timedelta(minutes=2),
        severity="critical",
        description_vi="{{ $value }} sự kiện của {{ $labels.publisher }} đã vào cổng mà không có kết quả.",
        description_en="{{ $value }} events of {{ $labels.publisher }} came into the gateway and have no outcome.",
    ),
    PipelineAlert(
        alert="IocGatewayNotKept",
        name_vi="Cổng không lưu hết sự kiện bị từ chối",
        name_en="Gateway does not keep all refused events",
        runbook="dead-letters",
        expr="sum by (publisher) (increase(ioc_gateway_dead_letters_dropped_total[15m])) > 0",
        lasts=timedelta(0),
        severity="warning",
        description_vi="{{ $labels.publisher }} gửi quá nhiều sự kiện bị từ chối: {{ $value | humanize }} sự kiện đã "
        "được trả lời nhưng không được lưu lại. Gọi đơn vị.",
        description_en="{{ $labels.publisher }} sends too many refused events: {{ $value | humanize }} were answered "
        "and not kept. Call the department.",
    ),
    PipelineAlert(
        alert="IocWatchdog",
        name_vi="Quy tắc cảnh báo đang chạy",
        name_en="Alert rules are running",
        runbook="watchdog",
        expr="vector(1)",
        lasts=timedelta(0),
        severity="none",
        description_vi="Luôn phát, và không gọi ai. Khi nó mất thì Prometheus không còn tính quy tắc cảnh báo nào; "
        "trực ban nhận ra sau 5 phút.",
        description_en="Always fires, and calls nobody. When it is gone, Prometheus evaluates no alert rule any more; "
        "on-call notices after 5 minutes.",
    ),
)
