"""Grafana's own schema of version 11.6 judges every board: tsc finds wrong enums, unknown keys and misspelt fields.

A server has still to show them: what only Grafana's code knows (a transformation's options, a map's layer) is not in the
schema.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / ".venv" / "grafana-schema"
BOARDS = ROOT / "deploy" / "grafana" / "dashboards"

# ruff: noqa: E501
# The schema's enums are TypeScript's own; JSON holds their values. `custom` and `options` are open in the schema of the
# board, and closed in that of each panel.
TYPES = """
import type * as schema from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type { Options as BarGaugeOptions } from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts";
import type { Options as TableOptions, FieldConfig as TableField } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
import type { Options as LinesOptions, FieldConfig as LinesField } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";
import type { Options as GeomapOptions } from "@grafana/schema/dist/esm/raw/composable/geomap/panelcfg/x/GeomapPanelCfg_types.gen.d.ts";

type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Source = { type: "prometheus"; uid: string };
interface Query {
  datasource: Source; editorMode: "code"; expr: string; format: "table" | "time_series";
  instant: boolean; legendFormat: string; range: boolean; refId: string;
}
interface Shown<Kind extends string, Options, Custom> extends
  Omit<Plain<schema.Panel>, "type" | "options" | "fieldConfig" | "targets" | "datasource"> {
  type: Kind; datasource: Source; targets: Query[]; options?: Plain<Partial<Options>>;
  fieldConfig: {
    defaults: Omit<Plain<schema.FieldConfig>, "custom" | "mappings"> & { custom?: Plain<Partial<Custom>>; mappings?: Mapping[] };
    overrides: Plain<schema.FieldConfigSource["overrides"]>;
  };
}
interface Mapping { type: "value"; options: { [value: string]: { text?: string; color?: string; index?: number } } }
type Any = Shown<"stat", StatOptions, {}> | Shown<"bargauge", BarGaugeOptions, {}> | Shown<"table", TableOptions, TableField>
  | Shown<"timeseries", LinesOptions, LinesField> | Shown<"geomap", GeomapOptions, {}>;
export interface Board extends Omit<Plain<schema.Dashboard>, "panels"> { panels: Any[] }
"""


MISSPELT = {
    "enum": ('"colorMode": "background"', '"colorMode": "bckground"'),
    "key": ('"noValue"', '"noValues"'),
    "option": ('"textMode"', '"textMood"'),
    "type": ('"instant": true', '"instant": "yes"'),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What tsc says, by board: of all of Vietnamese, and of a wall in which something is misspelt, in one run.

    Both languages have the same panels (tests/unit/wall), so that of English the wall alone is judged.
    """
    boards = {path.stem: path.read_text(encoding="utf-8") for path in (BOARDS / "vi").glob("*.json")}
    boards["wall-en"] = (BOARDS / "en" / "wall.json").read_text(encoding="utf-8")
    for name, (was, becomes) in MISSPELT.items():
        assert was in boards["wall"]
        boards[f"misspelt-{name}"] = boards["wall"].replace(was, becomes, 1)
    folder = tmp_path_factory.mktemp("boards")
    (folder / "types.ts").write_text(TYPES, encoding="utf-8")
    for name, text in boards.items():
        lines = f'import type {{ Board }} from "./types.ts";\nexport const board: Board = {text};\n'
        (folder / f"{name}.ts").write_text(lines, encoding="utf-8")
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "allowImportingTsExtensions": True,
        "target": "es2022",
        "types": [],
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))
    tsc = PROJECT / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", str(tsc), "--project", "."], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    said = dict.fromkeys(boards, "")
    for name, complaint in re.findall(r"^([\w-]+)\.ts(\(.*)", done.stdout + done.stderr, flags=re.MULTILINE):
        said[name] += complaint
    assert len(said) == len(boards), "something beside the boards is wrong: " + done.stdout
    return said


def test_grafanas_schema_accepts_every_board(complaints: dict[str, str]) -> None:
    assert {name: said for name, said in complaints.items() if said and not name.startswith("misspelt-")} == {}


@pytest.mark.parametrize("name", MISSPELT)
def test_the_judge_finds_what_is_misspelt(complaints: dict[str, str], name: str) -> None:
    assert "error TS" in complaints[f"misspelt-{name}"]
