"""The words of the boards in both languages. Grafana does not translate titles, so each language has its own board."""

from dataclasses import dataclass

from ioc.wall.panels import Language

__all__ = ["TEXTS", "BoardTexts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTexts:
    board_description: str
    all_figures: str
    all_figures_help: str
    trend: str
    trend_help: str
    by_dim: str
    by_dim_help: str
    samples: str
    alerts_firing: str
    alerts_firing_help: str
    no_alerts: str
    events_by_outcome: str
    events_by_outcome_help: str
    balance: str
    balance_help: str
    balanced: str
    frames_by_outcome: str
    frames_by_outcome_help: str
    detections: str
    detections_help: str
    incidents: str
    incidents_help: str
    lag: str
    lag_help: str
    stage_p95: str
    stage_p95_help: str
    services_up: str
    services_up_help: str
    up: str
    down: str
    stale: str
    fresh: str
    automatic: str
    manual: str
    no_data: str
    value: str
    numerator: str
    denominator: str
    as_of: str
    state: str
    source: str
    target: str
    no_target: str
    window: str
    indicator: str
    details: str
    service: str
    other_language: str
    wall_title: str
    cameras_title: str
    oncall_title: str
    quality_title: str
    pipeline_title: str
    figures_title: str
    all_boards: str
    runbook: str
    inbox: str
    missed: str
    missed_help: str
    none_missed: str
    by_unit: str
    by_unit_help: str
    unit: str
    agency: str
    cameras_seen: str
    cameras_seen_help: str
    registered: str
    with_frames: str
    blind_cameras: str
    blind_cameras_help: str
    no_blind: str
    camera: str
    camera_map: str
    camera_map_help: str
    frames_by_camera: str
    frames_by_camera_help: str
    frames: str
    coverage: str
    coverage_help: str
    detections_by_camera: str
    detections_by_camera_help: str
    refused_regions: str
    refused_regions_help: str
    open_incidents: str
    open_incidents_help: str
    outbox: str
    outbox_help: str
    waiting: str
    given_up: str
    notices: str
    notices_help: str
    hook: str
    hook_help: str
    alert_delay: str
    alert_delay_help: str
    canary: str
    canary_help: str
    heartbeat: str
    sources: str
    sources_help: str
    alive: str
    alive_yes: str
    alive_no: str
    late_sources: str
    late_sources_help: str
    late: str
    known: str
    rejected_by_topic: str
    rejected_by_topic_help: str
    gateway_events: str
    gateway_events_help: str
    gateway_requests: str
    gateway_requests_help: str
    gateway_p95: str
    gateway_p95_help: str
    gateway_held: str
    gateway_held_help: str
    dropped: str
    publisher: str
    figures_age: str
    figures_age_help: str
    newest: str
    oldest: str
    stale_count: str
    stale_count_help: str
    of: str
    zombies: str
    zombies_help: str
    no_zombies: str


_VI = BoardTexts(
    board_description="Chỉ số điều hành và dòng dữ liệu. Số CŨ không dùng để điều hành. "
    "Tệp này được sinh ra bằng `ioc dashboards build`; đừng sửa tay.",
    all_figures="Mọi chỉ số, mọi kỳ",
    all_figures_help="Giá trị, tử số, mẫu số, thời điểm tính, tình trạng và nguồn của từng chỉ số theo từng kỳ.",
    trend="diễn biến",
    trend_help="Giá trị toàn tỉnh theo kỳ chính; nét đứt là mục tiêu đang có hiệu lực. Khoảng trống: không có số liệu "
    "mới.",
    by_dim="theo từng nhóm",
    by_dim_help="Cùng chỉ số, tách theo nguồn, đơn vị vận hành, mức độ hay lĩnh vực. Màu vàng là CŨ.",
    samples="Số mẫu",
    alerts_firing="Cảnh báo đang phát",
    alerts_firing_help="Các cảnh báo mà Prometheus đang phát. Dòng «Quy tắc cảnh báo đang chạy» luôn phải có mặt.",
    no_alerts="QUY TẮC CẢNH BÁO KHÔNG CHẠY",
    events_by_outcome="Sự kiện mỗi giây theo kết quả",
    events_by_outcome_help="in = accepted + duplicate + rejected, luôn luôn.",
    balance="Sự kiện chưa rõ kết quả",
    balance_help="Số sự kiện đã vào mà không được nhận, không trùng, không bị từ chối. Phải bằng 0.",
    balanced="ĐỦ",
    frames_by_outcome="Khung hình mỗi giây theo kết quả",
    frames_by_outcome_help="Khung hình camera đã phân tích, bỏ qua khi quá tải, hoặc bị từ chối.",
    detections="Phát hiện mỗi phút",
    detections_help="Số phát hiện của các bộ nhận dạng, gồm cả mức theo dõi chưa xác nhận.",
    incidents="Thay đổi sự cố từ khi máy xử lý khởi động",
    incidents_help="Số lần sự cố chuyển trạng thái, theo loại và trạng thái.",
    lag="Bản ghi chờ xử lý",
    lag_help="Số bản ghi Kafka mà máy xử lý chưa đọc tới, theo chủ đề.",
    stage_p95="Thời gian xử lý p95 theo công đoạn",
    stage_p95_help="95 % lượt xử lý nhanh hơn mức này.",
    services_up="Dịch vụ",
    services_up_help="Prometheus có đọc được số đo của từng dịch vụ hay không.",
    up="CHẠY",
    down="DỪNG",
    stale="CŨ",
    fresh="MỚI",
    automatic="tự động",
    manual="NHẬP TAY",
    no_data="Chưa có số liệu",
    value="Giá trị",
    numerator="Tử số",
    denominator="Mẫu số",
    as_of="Tính đến",
    state="Tình trạng",
    source="Nguồn",
    target="Mục tiêu",
    no_target="chưa đặt mục tiêu",
    window="Kỳ",
    indicator="Chỉ số",
    details="chi tiết",
    service="Dịch vụ",
    other_language="English",
    wall_title="Màn hình tỉnh",
    cameras_title="Camera",
    oncall_title="Trực ban",
    quality_title="Chất lượng từng nguồn",
    pipeline_title="Dòng dữ liệu",
    figures_title="Mọi chỉ số",
    all_boards="Bảng khác",
    runbook="Việc cần làm",
    inbox="Hộp sự cố",
    missed="Chỉ số không đạt mục tiêu",
    missed_help="Các chỉ số có cảnh báo đang phát: giá trị hiện tại theo kỳ chính.",
    none_missed="Không có chỉ số nào bị cảnh báo",
    by_unit="theo đơn vị",
    by_unit_help="Từng xã, phường, đặc khu hoặc cơ quan, kém nhất đứng trên. Số CŨ ghi ở cột tình trạng.",
    unit="Đơn vị",
    agency="Cơ quan",
    cameras_seen="Camera có khung hình",
    cameras_seen_help="Số camera có khung hình trong 5 phút qua, và số camera đã đăng ký.",
    registered="đã đăng ký",
    with_frames="có khung hình 5 phút qua",
    blind_cameras="Camera mù",
    blind_cameras_help="Camera đang bị cảnh báo không gửi khung hình. Khu vực của nó không được trông coi.",
    no_blind="Không camera nào bị cảnh báo",
    camera="Camera",
    camera_map="Bản đồ camera",
    camera_map_help="Vị trí và hướng nhìn theo danh mục (nền xám: đã đăng ký, dù chưa từng có khung hình). Vòng tròn: "
    "khung hình mỗi phút trong 5 phút qua; màu cam là không có khung nào. Nền là tệp của ta, không "
    "lấy gì từ bên ngoài.",
    frames_by_camera="Khung hình mỗi phút theo camera",
    frames_by_camera_help="Mọi khung hình đã tới, dù được phân tích hay bỏ qua. Khoảng trống hay số 0: camera mù.",
    frames="Khung hình mỗi phút",
    coverage="Tỷ lệ khung hình được phân tích",
    coverage_help="Phần khung hình đã tới được phân tích, không bị bỏ qua vì quá tải; 5 phút qua.",
    detections_by_camera="Phát hiện theo camera (1 giờ)",
    detections_by_camera_help="Số phát hiện trong một giờ, gồm cả mức theo dõi. Một camera nhiều bất thường: kiểm tra "
    "vùng và "
    "ống kính.",
    refused_regions="Vùng bị bộ nhận dạng loại",
    refused_regions_help="Mỗi phút, theo lý do.",
    open_incidents="Sự cố trong hộp trực ban",
    open_incidents_help="Theo trạng thái. Bấm để mở hộp sự cố.",
    outbox="Thông báo chờ gửi",
    outbox_help="Thông báo chưa gửi được. Nhiều hơn vài cái: kênh gửi hỏng.",
    waiting="chờ gửi",
    given_up="đã bỏ, không gửi nữa",
    notices="Lần gửi thông báo mỗi phút",
    notices_help="Theo kênh và kết quả.",
    hook="Cảnh báo từ Alertmanager",
    hook_help="Theo kết quả, trong 1 giờ. watchdog phải luôn tới.",
    alert_delay="Từ khung hình đầu đến thông báo, p95",
    alert_delay_help="95 % sự cố được báo nhanh hơn mức này; trong 1 giờ.",
    canary="Sự kiện thử đi trọn vòng",
    canary_help="Lần cuối sự kiện thử đi hết chuỗi, theo nửa, và nhịp báo sống cuối. Quá 5 phút là chuỗi đứt.",
    heartbeat="nhịp báo sống",
    sources="Nguồn dữ liệu",
    sources_help="Mỗi nguồn một dòng: đúng và sạch hôm nay, có giữ hẹn cập nhật không. Ô trống: chưa có số liệu, "
    "không phải tốt.",
    alive="Giữ hẹn",
    alive_yes="đúng hẹn",
    alive_no="TRỄ",
    late_sources="Nguồn trễ hẹn",
    late_sources_help="Số nguồn không giữ hẹn cập nhật của mình, trên tổng số nguồn đã biết.",
    late="trễ",
    known="đã biết",
    rejected_by_topic="Bị từ chối mỗi phút theo chủ đề",
    rejected_by_topic_help="Lý do: `ioc dlq list`.",
    gateway_events="Cổng: sự kiện mỗi giây theo đơn vị gửi",
    gateway_events_help="Theo kết quả đã trả lời cho đơn vị gửi.",
    gateway_requests="Cổng: yêu cầu mỗi giây",
    gateway_requests_help="Theo mã trả lời HTTP. 5xx: phía ta; 4xx: phía gửi.",
    gateway_p95="Cổng: thời gian trả lời p95",
    gateway_p95_help="95 % yêu cầu được trả lời nhanh hơn mức này, theo cửa.",
    gateway_held="Cổng: dữ liệu đang giữ",
    gateway_held_help="Thân yêu cầu đang xử lý; và số sự kiện bị từ chối không được lưu lại.",
    dropped="không lưu",
    publisher="Đơn vị gửi",
    figures_age="Tuổi của chỉ số",
    figures_age_help="Mới nhất và cũ nhất trong các chỉ số của tỉnh, tính từ sự kiện cuối. Cũ nhất thường là thống kê "
    "theo tháng.",
    newest="mới nhất",
    oldest="cũ nhất",
    stale_count="Chỉ số CŨ",
    stale_count_help="Số chỉ số đang bị đánh dấu CŨ ở kỳ chính, trên tổng số.",
    of="trên tổng số",
    zombies="Số liệu do bản cũ báo",
    zombies_help="Số chỉ số mà một bản xuất số liệu báo cũ hơn bản khác: bản đó đã đứt khỏi Kafka mà không biết. "
    "Màn hình không dùng số của nó.",
    no_zombies="Không có bản cũ nào",
)

_EN = BoardTexts(
    board_description="Key figures and the data pipeline. A STALE figure is not for decisions. "
    "This file is generated by `ioc dashboards build`; do not edit it.",
    all_figures="All figures, all windows",
    all_figures_help="Value, numerator, denominator, as-of, state and source of each figure by window.",
    trend="course",
    trend_help="The province's value in the main window; dashed is the target in force. A gap: no current figure.",
    by_dim="part by part",
    by_dim_help="The same figure by source, operator, severity or field. Amber is STALE.",
    samples="Samples",
    alerts_firing="Alerts firing",
    alerts_firing_help="What Prometheus is alerting on now. The line “Alert rules are running” must always be there.",
    no_alerts="ALERT RULES ARE NOT RUNNING",
    events_by_outcome="Events per second by outcome",
    events_by_outcome_help="in = accepted + duplicate + rejected, always.",
    balance="Events unaccounted for",
    balance_help="Events that came in and were neither accepted, nor duplicate, nor rejected. Must be 0.",
    balanced="BALANCED",
    frames_by_outcome="Frames per second by outcome",
    frames_by_outcome_help="Camera frames analysed, skipped under lag, or rejected.",
    detections="Detections per minute",
    detections_help="What the detectors saw, the early unconfirmed tier included.",
    incidents="Incident changes since the worker started",
    incidents_help="How often an incident changed its state, by kind and state.",
    lag="Records waiting",
    lag_help="Kafka records that the worker has not read yet, by topic.",
    stage_p95="Processing time p95 by stage",
    stage_p95_help="95 % of the work was faster than this.",
    services_up="Services",
    services_up_help="Whether Prometheus can read each service's metrics.",
    up="UP",
    down="DOWN",
    stale="STALE",
    fresh="FRESH",
    automatic="automatic",
    manual="MANUAL",
    no_data="No figure",
    value="Value",
    numerator="Numerator",
    denominator="Denominator",
    as_of="As of",
    state="State",
    source="Source",
    target="Target",
    no_target="no target set",
    window="Window",
    indicator="Figure",
    details="details",
    service="Service",
    other_language="Tiếng Việt",
    wall_title="Province wall",
    cameras_title="Cameras",
    oncall_title="On-call",
    quality_title="Quality by source",
    pipeline_title="Pipeline",
    figures_title="All figures",
    all_boards="Other boards",
    runbook="What to do",
    inbox="Incident inbox",
    missed="Figures that miss their target",
    missed_help="The figures whose alert fires, with their current value in the main window.",
    none_missed="No figure is alerted on",
    by_unit="by unit",
    by_unit_help="Each commune, ward, special zone or agency, the worst on top. A STALE figure says so in its state.",
    unit="Unit",
    agency="Agency",
    cameras_seen="Cameras with frames",
    cameras_seen_help="Cameras that sent a frame within 5 minutes, and how many are registered.",
    registered="registered",
    with_frames="with frames, 5 minutes",
    blind_cameras="Blind cameras",
    blind_cameras_help="Cameras alerted on for sending no frame. Nobody watches their area.",
    no_blind="No camera is alerted on",
    camera="Camera name",
    camera_map="Camera map",
    camera_map_help="Places and views of the catalogue (grey: registered, even where no frame ever came). Circles: "
    "frames a minute over 5 minutes; orange is none. The ground is our own file: nothing comes from "
    "outside.",
    frames_by_camera="Frames a minute by camera",
    frames_by_camera_help="All frames that came, analysed or skipped. A gap or 0: the camera is blind.",
    frames="Frames a minute",
    coverage="Share of frames analysed",
    coverage_help="Frames analysed of all that came, not skipped under lag; 5 minutes.",
    detections_by_camera="Detections by camera (1 hour)",
    detections_by_camera_help="Detections within an hour, the early tier included. One camera far above the others: "
    "check its "
    "zones and its lens.",
    refused_regions="Regions that detectors refused",
    refused_regions_help="A minute, by reason.",
    open_incidents="Incidents in the inbox",
    open_incidents_help="By state. Click to open the inbox.",
    outbox="Notices waiting",
    outbox_help="Notices not delivered yet. More than a few: a channel is down.",
    waiting="waiting",
    given_up="given up",
    notices="Tries to notify, a minute",
    notices_help="By channel and outcome.",
    hook="Alerts from Alertmanager",
    hook_help="By outcome, within an hour. The watchdog must keep coming.",
    alert_delay="First frame to notice, p95",
    alert_delay_help="95 % of the incidents were told faster than this; within an hour.",
    canary="Canary through the whole chain",
    canary_help="When a canary came back last, by half, and the last heartbeat. Over 5 minutes: the chain is broken.",
    heartbeat="heartbeat",
    sources="Sources",
    sources_help="One line for each source: valid and clean today, and whether it keeps its promise. An empty "
    "cell: no figure, which is not a good one.",
    alive="Keeps promise",
    alive_yes="on time",
    alive_no="LATE",
    late_sources="Sources that are late",
    late_sources_help="Sources that do not keep their freshness promise, and how many are known.",
    late="late",
    known="known",
    rejected_by_topic="Rejected a minute by topic",
    rejected_by_topic_help="The reasons: `ioc dlq list`.",
    gateway_events="Gateway: events per second by department",
    gateway_events_help="By the outcome that the department was told.",
    gateway_requests="Gateway: requests per second",
    gateway_requests_help="By HTTP status. 5xx: our side; 4xx: theirs.",
    gateway_p95="Gateway: time to answer, p95",
    gateway_p95_help="95 % of the requests were answered faster than this, by door.",
    gateway_held="Gateway: bytes held",
    gateway_held_help="Bodies being worked on; and refused events that were not kept.",
    dropped="not kept",
    publisher="Department",
    figures_age="Age of the figures",
    figures_age_help="The newest and the oldest of the province's figures, since their last fact. The oldest is mostly "
    "a monthly statistic.",
    newest="newest",
    oldest="oldest",
    stale_count="STALE figures",
    stale_count_help="Figures marked STALE in their main window, and how many there are.",
    of="of all",
    zombies="Figures of an exporter left behind",
    zombies_help="Figures that an exporter tells older than another: it was cut off from Kafka and does not know. "
    "The wall does not show them.",
    no_zombies="No exporter is behind",
)

TEXTS: dict[Language, BoardTexts] = {"vi": _VI, "en": _EN}
