"""A department without Kafka: its table goes through the gateway, a bad row is explained, mended and sent again."""

import asyncio
import json
from pathlib import Path

from tests.integration.dossiers import DOSSIERS, NOW
from tests.integration.running import run_ioc
from tests.integration.sdk_outage import Door, open_door
from tests.integration.topic_reading import records_of
from tests.unit.publishing.making import row, table

FOREIGN = "Mã phản ánh;Kênh tiếp nhận;Lĩnh vực;Thời gian gửi;Mã xã;Hạn xử lý;Trạng thái;Thời gian cập nhật;" + (
    "Đơn vị xử lý;Lý do\nR1;app;duong-sa;20/11/2026 08:00;24781;;;;;\n"
)


def publish(door: Door, folder: Path, file: Path, *options: str) -> tuple[int, str]:
    token = folder / "token.txt"
    token.write_text(door.token + "\n", encoding="utf-8")
    arguments = ("publish", str(file), "--gateway", door.url, "--token-file", str(token), *options)
    done = run_ioc(*arguments, broker="127.0.0.1:1", state=folder / "own-state", timeout_s=60, IOC_NOW=NOW)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_table_goes_through_the_gateway_and_its_bad_row_comes_back_to_be_mended(tmp_path: Path) -> None:
    path, rejects, foreign = tmp_path / "ho-so.csv", tmp_path / "sai.csv", tmp_path / "phan-anh.csv"
    path.write_text(table(*[row(number) for number in range(1, 1_200)], row(1_200, muc_do="Nửa")), encoding="utf-8")
    foreign.write_text(FOREIGN, encoding="utf-8")
    with open_door(tmp_path / "door") as door:
        first = publish(door, tmp_path, path, "--as", "mot-cua-ho-so", "--rejects", str(rejects))
        rejects.write_text(rejects.read_text(encoding="utf-8").replace("Nửa", "Một phần"), encoding="utf-8")
        mended = publish(door, tmp_path, rejects, "--as", "mot-cua-ho-so")
        again = publish(door, tmp_path, path, "--as", "mot-cua-ho-so", "--rejects", str(tmp_path / "sai-2.csv"))
        others = publish(door, tmp_path, foreign, "--as", "phan-anh", "--json")
        (tmp_path / "wrong.txt").write_text("ioc_wrong", encoding="utf-8")
        stranger = publish(door, tmp_path, path, "--as", "mot-cua-ho-so", "--token-file", str(tmp_path / "wrong.txt"))
        records = asyncio.run(records_of(door.kafka.address, DOSSIERS))

    assert first[0] == 1
    assert "dòng 1201, cột Mức độ DVC: not_allowed (service_level): 'Nửa' không nằm trong danh sách" in first[1]
    assert "1199 sự kiện đã vào gateway, 1 dòng bị từ chối" in first[1]
    assert mended == (0, "1 sự kiện đã vào gateway, 0 dòng bị từ chối\n")
    assert again[0] == 1
    assert others[0] == 1
    assert [(error["row"], error["reason"]) for error in json.loads(others[1])["errors"]] == [(2, "not_your_source")]
    assert stranger[0] == 2
    assert "does not take the token" in stranger[1]
    assert len(records) == 1_200, "what was sent twice is known to the gateway"
