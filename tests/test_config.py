import re
from pathlib import Path

import pytest

from dicom_node.config import Config, Workers, load_config
from dicom_node.errors import ConfigError

ROUTE = """
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 104
[pipelines.lung_cxr]
[[routes]]
name = "lungs"
run = ["lung_cxr"]
send_to = ["pacs"]
when = { Modality = "DX" }
"""


def load(folder: Path, text: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return load_config(path)


def test_the_default_file_is_valid() -> None:
    config = load_config(Path(__file__).parents[1] / "config.toml")
    assert {"contrast_ct", "lung_cxr", "lr_mark_cxr"} <= set(config.pipelines)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("port = 104", "prot = 104", "peers.pacs.prot: unknown keyword; did you mean 'port'?"),
        (
            "Modality =",
            "Modalty =",
            "asks for 'Modalty', which is no DICOM keyword or fact here; did you mean 'Modality'?",
        ),
        ('run = ["lung_cxr"]', 'run = ["lung"]', "runs 'lung', which is no pipeline here; did you mean 'lung_cxr'?"),
        ('send_to = ["pacs"]', 'send_to = ["pac"]', "sends to 'pac', which is no peer here; did you mean 'pacs'?"),
        ('"DX" }', '{ matches = "(" } }', "not a regular expression"),
        ('"DX" }', '{ matches = "(?<!non )contrast" } }', "look-around is none; write what must not be there under"),
        ('"DX" }', "{ matches = '\\pL{100}' } }", "is slow: "),
        (
            'ae_title = "PACS"',
            'ae_title = "SEVENTEEN LETTERS"',
            "peers.pacs.ae_title: an AE title has at most 16 characters (PS3.5 6.2); 'SEVENTEEN LETTERS' has 17",
        ),
        ("port = 104", "port = 70000", "peers.pacs.port"),
        ('when = { Modality = "DX" }', 'when = { use = "ct" }', "names no [conditions.ct]"),
        ("[peers.pacs]", "[peers.pacs", "not TOML"),
        ('"PACS"', '"PA\\\\CS"', "an AE title is ASCII without a backslash (PS3.5 6.2)"),
        ('"PACS"', '"  "', "peers.pacs.ae_title: an AE title is not empty"),
        ('run = ["lung_cxr"]', 'run = "lung_cxr"', "route 'lungs'.run: a list is wanted, e.g. [1, 2]; 'lung_cxr' came"),
        ('run = ["lung_cxr"]', "run = []", "route 'lungs'.run: must name at least one"),
        ('"DX" }', "{ mim = 1 } }", "route 'lungs'.when.Modality.mim: unknown keyword; did you mean 'min'?"),
        ("[peers.pacs]", "[node]\ntimezone = 'CEST'\n[peers.pacs]", "node.timezone: 'CEST' is no IANA time zone"),
        (
            "[peers.pacs]",
            "[node]\ntimezone = 'Europe/Berln'\n[peers.pacs]",
            "'Europe/Berln' is no IANA time zone such as \"Europe/Berlin\"; did you mean 'Europe/Berlin'?",
        ),
        ("[peers.pacs]", "[node]\nextra_sop_classes = ['CT']\n[peers.pacs]", "'CT' is no UID"),
        (
            "[peers.pacs]",
            "[node]\nkeep_days = 3\n[peers.pacs]",
            "node.keep_days: unknown keyword here; it belongs in [storage]",
        ),
        (
            "[peers.pacs]",
            "[node]\nsilence_s = inf\n[peers.pacs]",
            "node.silence_s: a finite number is wanted; inf came",
        ),
        (
            "[peers.pacs]",
            "[database]\ncatalog = 'postgres://db/node'\n[peers.pacs]",
            "database.catalog: postgres:// is written postgresql+psycopg:// here",
        ),
        (
            "[peers.pacs]",
            "[log]\nformat = 'jsn'\n[peers.pacs]",
            "log.format: 'jsn' is none of text, json; did you mean 'json'?",
        ),
        (
            "[peers.pacs]",
            "[peers.pacs]\npage_language = 'fr'",
            "peers.pacs.page_language: 'fr' is none of en, ko, de",
        ),
        (
            'Modality = "DX"',
            'view = "frontal"',
            "'view', which is no DICOM keyword or fact here; a fact of the pixels needs a gate",
        ),
        ("[peers.pacs]", "folder = 'x'\n[peers.pacs]", "folder: unknown keyword"),
        (
            "[peers.pacs]",
            "[conditions.a]\nuse = 'b'\n[conditions.b]\nuse = 'a'\n[peers.pacs]",
            "includes itself: a -> b -> a",
        ),
    ],
)
def test_a_wrong_word_is_refused_with_its_place_and_the_nearest_right_one(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    load(tmp_path, ROUTE)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, ROUTE.replace(old, new))
    assert said in str(error.value)


IMPLAUSIBLE: dict[str, dict[str, str]] = {
    '"remark"': dict.fromkeys(("place", "shape", "body", "volume"), "remark"),
    '{ volume = "refuse" }': {"place": "refuse", "shape": "refuse", "body": "refuse", "volume": "refuse"},
    '{ place = "ignore" }': {"place": "ignore", "shape": "refuse", "body": "refuse", "volume": "remark"},
}


@pytest.mark.parametrize("written", IMPLAUSIBLE)
def test_what_follows_from_an_implausible_finding_is_one_word_or_a_word_for_each_kind(
    tmp_path: Path, written: str
) -> None:
    config = load(tmp_path, f"[pipelines.brain_mr]\non_implausible = {written}")
    assert config.pipelines["brain_mr"].on_implausible.model_dump() == IMPLAUSIBLE[written]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"refsue"', "on_implausible: 'refsue' is none of refuse, remark, ignore; did you mean 'refuse'?"),
        ('{ shpe = "refuse" }', "on_implausible.shpe: unknown keyword; did you mean 'shape'?"),
        (
            '{ shape = "remrk" }',
            "on_implausible.shape: 'remrk' is none of refuse, remark, ignore; did you mean 'remark'?",
        ),
    ],
)
def test_a_wrong_word_for_an_implausible_finding_is_refused_with_the_nearest(
    tmp_path: Path, written: str, said: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, f"[pipelines.brain_mr]\non_implausible = {written}")
    assert f"pipelines.brain_mr.{said}" in str(error.value)


def test_a_missing_file_is_said() -> None:
    with pytest.raises(ConfigError, match="there is no such file; `dicom-node init` writes one"):
        load_config(Path("nowhere.toml"))


def test_scalar_list_and_table_are_conditions(tmp_path: Path) -> None:
    text = ROUTE.replace('"DX" }', '["CR", "DX"], Rows = { min = 512 }, ViewPosition = { not = "LL" } }')
    (when,) = load(tmp_path, text).routes[0].when
    assert when["Modality"].any_of == ("CR", "DX")
    assert when["Rows"].min == 512
    assert when["ViewPosition"].not_ is not None
    assert when["ViewPosition"].not_.any_of == ("LL",)


def test_a_named_group_is_joined_with_a_routes_own_conditions(tmp_path: Path) -> None:
    group = '[conditions.plain]\nSeriesDescription = { not = { matches = "rib" } }\nModality = "CR"\n'
    text = group + ROUTE.replace('"DX" }', '"DX", use = "plain", SeriesDescription = { matches = "chest" } }')
    (when,) = load(tmp_path, text).routes[0].when
    assert when["Modality"].any_of == ("DX",)
    assert when["SeriesDescription"].matches == "chest"
    assert when["SeriesDescription"].not_ is not None


def test_a_mistake_in_a_group_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    group = "[conditions.plain]\nRows = { mim = 3 }\n"
    with pytest.raises(ConfigError) as error:
        load(tmp_path, group + ROUTE.replace('"DX" }', '"DX", use = "plain" }'))
    (line,) = str(error.value).splitlines()
    assert "conditions.plain.Rows.mim: unknown keyword; did you mean 'min'?" in line


def test_a_group_may_include_groups_and_one_that_nothing_includes_is_known(tmp_path: Path) -> None:
    groups = '[conditions.a]\nuse = "b"\n[conditions.b]\nRows = 7\n[conditions.c]\nRows = 8\n'
    config = load(tmp_path, groups + ROUTE.replace('"DX" }', '"DX", use = "a" }'))
    assert set(config.routes[0].when[0]) == {"Modality", "Rows"}
    assert config.unused_conditions == ("c",)


def test_what_is_no_utf_8_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        load_config(tmp_path / "config.toml")


def test_paths_start_where_the_file_lies(tmp_path: Path) -> None:
    assert load(tmp_path, ROUTE).storage_folder == tmp_path / "data"


def test_a_pipelines_own_keys_are_its_settings(tmp_path: Path) -> None:
    config = load(tmp_path, ROUTE.replace("[pipelines.lung_cxr]", "[pipelines.lung_cxr]\nthreshold = 0.4"))
    assert config.pipelines["lung_cxr"].settings == {"threshold": 0.4}


def test_the_configuration_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, ROUTE).node.port = 1  # type: ignore[misc]


def test_every_key_of_the_workers_is_explained_in_the_default_file() -> None:
    text = (Path(__file__).parents[1] / "config.toml").read_text()
    section = text[text.index("# [workers]") :].partition("\n\n")[0]
    explained = re.findall(r"^# (\w+) = \S+ +# \S", section, re.MULTILINE)
    assert set(explained) == set(Workers.model_fields)
