from pathlib import Path

import pytest

from dicom_node.config import Config, load_config
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
        ('ae_title = "PACS"', 'ae_title = "SEVENTEEN LETTERS"', "peers.pacs.ae_title: String should have at most 16"),
        ("port = 104", "port = 70000", "peers.pacs.port"),
        ('when = { Modality = "DX" }', 'when = { use = "ct" }', "names no [conditions.ct]"),
        ("[peers.pacs]", "[peers.pacs", "not TOML"),
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
    with pytest.raises(ConfigError, match="cannot be read"):
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


def test_paths_start_where_the_file_lies(tmp_path: Path) -> None:
    assert load(tmp_path, ROUTE).storage_folder == tmp_path / "data"


def test_a_pipelines_own_keys_are_its_settings(tmp_path: Path) -> None:
    config = load(tmp_path, ROUTE.replace("[pipelines.lung_cxr]", "[pipelines.lung_cxr]\nthreshold = 0.4"))
    assert config.pipelines["lung_cxr"].settings == {"threshold": 0.4}


def test_the_configuration_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, ROUTE).node.port = 1  # type: ignore[misc]
