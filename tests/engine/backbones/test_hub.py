"""Bringing backbones here: what is taken, what is refused, and that nothing is ever mixed up."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.engine import backbones
from apps.engine.backbones import hub, hub_files
from apps.engine.backbones.hub_sources import FolderSource, HubSource, Listing, Source
from apps.engine.backbones.presets import PRESETS
from apps.engine.backbones.registry import FILES, MANIFEST, Manifest, Registry, checked_name
from apps.engine.errors import BackboneUnavailable, PullRefused
from tests import tiny_models
from tests.tiny_hub import COMMIT, Hub, serving


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return tiny_models.bert(tmp_path / "bert")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "backbones"


def pull(folder: Path, into: Path, *, name: str = "tickets") -> Manifest:
    return hub.pull(hub.wanted_from_folder(folder, name=name), into=into)


class OwnHub:
    """A hub without HTTP: a folder with a commit."""

    def __init__(self, folder: Path, commit: str = COMMIT, *, damage: Callable[[Path], None] | None = None) -> None:
        self.label, self.folder, self.commit, self.damage = "OWNER/MODEL", folder, commit, damage
        self.n_fetched = 0

    def look(self) -> Listing:
        return Listing(self.commit, FolderSource(self.folder).look().sizes)

    def fetch(self, listing: Listing, names: tuple[str, ...], into: Path) -> None:
        self.n_fetched += 1
        FolderSource(self.folder).fetch(listing, names, into)
        if self.damage:
            self.damage(into)


def pull_from(source: Source, into: Path, asked: str = "owner/tickets") -> Manifest:
    return hub.pull(hub.wanted_from_hub(asked, make=lambda _repository, _revision: source), into=into)


def edit(path: Path, **facts: object) -> None:
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **facts}))


def test_a_folder_is_brought_tried_and_recorded(bert: Path, into: Path) -> None:
    said: list[str] = []
    manifest = hub.pull(hub.wanted_from_folder(bert, name="tickets"), into=into, say=said.append)
    assert set(manifest.files) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert (manifest.dim, manifest.reading.pooling, manifest.reading.max_tokens) == (32, ("mean",), 48)
    assert manifest.per_second > 0
    assert said[0].startswith("Bringing 4 files of bert")
    assert Registry(into).names() == ("tickets",)
    assert backbones.spec("tickets", pulled=into) == manifest.spec
    assert [path.name for path in into.iterdir()] == ["tickets"]


def test_the_version_tells_files_revisions_and_ways_of_reading_apart(bert: Path, into: Path, tmp_path: Path) -> None:
    one = pull(bert, into)
    other = pull(tiny_models.bert(tmp_path / "other", seed=1), into, name="other")
    from_hub = pull_from(OwnHub(bert), into, "owner/from-hub")
    as_e5 = pull(bert, into, name="e5-small")
    again = pull(bert, tmp_path / "elsewhere", name="same")
    assert len({one.version, other.version, from_hub.version, as_e5.version}) == 4
    assert again.version == one.version
    assert from_hub.version.split("-")[1] == COMMIT[:8]
    assert as_e5.reading.prefix == "query: "
    assert max(len(each.version) for each in (one, from_hub)) <= 40


def test_pickles_are_left_where_they_are(bert: Path, into: Path) -> None:
    marker = into.parent / "ran"
    (bert / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    (bert / "modeling_own.py").write_text("raise SystemExit")
    manifest = pull(bert, into)
    assert not {"pytorch_model.bin", "modeling_own.py"} & set(manifest.files)
    assert not (into / "tickets" / FILES / "pytorch_model.bin").exists()
    assert not marker.exists()
    (bert / "model.safetensors").unlink()
    with pytest.raises(PullRefused, match=r"only pytorch_model\.bin, which could run code"):
        pull(bert, into, name="other")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("file", "facts", "sentence"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling_own.Own"}}, "asks to run code of its own"),
        ("config.json", {"text_config": {"auto_map": {"AutoModel": "a--b.C"}}}, "asks to run code of its own"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["own.Own", None]}}, "asks to run code of its own"),
        ("config.json", {"quantization_config": {"bits": 4}}, "quantized weights"),
        ("config.json", {"use_pretrained_backbone": True}, "weights of another model"),
        ("config.json", {"_attn_implementation": "somebody/kernels"}, "compiled code"),
        ("model.safetensors.index.json", {"weight_map": {"a": "../../model.safetensors"}}, "not there"),
        ("model.safetensors.index.json", {"weight_map": {"a": "/etc/passwd"}}, "not there"),
        ("model.safetensors.index.json", {"weight_map": []}, "not there"),
    ],
)
def test_files_that_ask_for_more_are_refused(
    bert: Path, into: Path, file: str, facts: dict[str, object], sentence: str
) -> None:
    edit(bert / file, **facts)
    with pytest.raises(PullRefused, match=sentence):
        pull(bert, into)
    assert list(into.iterdir()) == []


def test_a_configuration_that_is_none_is_refused(bert: Path, into: Path) -> None:
    for content in ("[" * 100_000, "{", "[1]", '"text"'):
        (bert / "config.json").write_text(content)
        with pytest.raises((PullRefused, BackboneUnavailable)):
            pull(bert, into)
    (bert / "config.json").unlink()
    with pytest.raises(PullRefused, match=r"no config\.json"):
        pull(bert, into)


def test_links_are_not_followed(bert: Path, into: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (bert / "vocab.json").symlink_to(secret)
    with pytest.raises(PullRefused, match=r"vocab\.json .* is a link"):
        pull(bert, into)
    (bert / "vocab.json").unlink()
    (bert / "1_Pooling").symlink_to(tmp_path)
    with pytest.raises(PullRefused, match=r"1_Pooling .* is a link"):
        pull(bert, into)
    (bert / "1_Pooling").unlink()
    (bert / "README.md").symlink_to(secret)  # never taken, so that it does not matter
    assert pull(bert, into)


def test_a_link_handed_out_by_a_hub_is_refused(bert: Path, into: Path) -> None:
    def link(folder: Path) -> None:
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer.json").symlink_to(bert / "tokenizer.json")

    with pytest.raises(PullRefused, match=r"tokenizer\.json is a link"):
        pull_from(OwnHub(bert, damage=link), into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["", "..", "a/b", "../up", "A", "minilm", "lexical", "names", "adapted-x", "tiny-text", "a" * 33, "a:b", "a+b"],
)
def test_a_name_is_no_path_and_nobody_elses(bert: Path, into: Path, name: str) -> None:
    with pytest.raises(PullRefused, match="cannot be its name here"):
        hub.wanted_from_folder(bert, name=name)
    with pytest.raises(ValueError, match="A backbone's name"):
        checked_name(name)
    if name not in {"minilm", "tiny-text"}:
        with pytest.raises(BackboneUnavailable):
            backbones.spec(name, pulled=into)


@pytest.mark.parametrize(
    "asked", ["", "nobody", "a/b/c", "../a", "a/..", "/etc", "a/b@../c", "a/b@ ", "https://a/b", "./x"]
)
def test_what_is_neither_a_preset_nor_a_repository_is_refused(asked: str) -> None:
    with pytest.raises(PullRefused):
        hub.wanted_from_hub(asked, make=lambda _repository, _revision: pytest.fail("asked for"))


def test_presets_and_repositories_are_found_by_name_and_revision() -> None:
    asked: list[tuple[str, str]] = []

    def make(repository: str, revision: str) -> Source:
        asked.append((repository, revision))
        return HubSource(repository, revision)

    assert hub.wanted_from_hub("e5-small@abc", make=make).reading.prefix == "query: "
    assert hub.wanted_from_hub("Owner/Some_Model-v1.5", make=make).name == "some-model-v1.5"
    assert hub.wanted_from_hub("Owner/Some_Model-v1.5", name="mine", make=make).name == "mine"
    assert asked[:2] == [("intfloat/e5-small-v2", "abc"), ("Owner/Some_Model-v1.5", "")]
    for preset in PRESETS.values():
        assert hub.wanted_from_hub(preset.name, make=make).name == checked_name(preset.name)


def test_a_preset_is_brought_from_where_its_safetensors_are() -> None:
    asked: list[tuple[str, str]] = []

    def make(repository: str, revision: str) -> Source:
        asked.append((repository, revision))
        return HubSource(repository, revision)

    wanted = hub.wanted_from_hub("clip-base", make=make)
    assert wanted.is_any_revision  # nobody asked for one: what is here will do
    assert not hub.wanted_from_hub("clip-base@v2", make=make).is_any_revision
    hub.wanted_from_hub("openai/clip-vit-base-patch32", make=make)
    assert [revision for _repository, revision in asked] == ["refs/pr/15", "v2", ""]


def test_more_bytes_than_allowed_are_not_fetched(bert: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = hub.wanted_from_folder(bert, name="tickets")
    with pytest.raises(PullRefused, match="Allow more with --max-gb"):
        hub.pull(wanted, into=into, max_bytes=1_000)
    monkeypatch.setattr(hub_files, "MAX_SMALL_BYTES", 500)
    with pytest.raises(PullRefused, match="of bert has"):
        hub.pull(wanted, into=into)


def test_what_is_handed_out_must_be_what_was_announced(bert: Path, into: Path) -> None:
    def shorten(folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")

    def smuggle(folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}")

    with pytest.raises(PullRefused, match="not handed out whole"):
        pull_from(OwnHub(bert, damage=shorten), into)
    with pytest.raises(PullRefused, match="did not hand out what it announced"):
        pull_from(OwnHub(bert, damage=smuggle), into)
    assert list(into.iterdir()) == []


def test_weights_that_are_not_whole_or_do_not_fit_are_refused(bert: Path, into: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(bert / "model.safetensors")
    fewer = {name: tensor for name, tensor in tensors.items() if "layer.1.output" not in name}
    save_file(fewer, bert / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneUnavailable, match="not whole"):
        pull(bert, into)
    (bert / "model.safetensors").write_bytes(b"\x80\x04pickled")
    with pytest.raises(BackboneUnavailable, match="cannot be read"):
        pull(bert, into)
    timm = tiny_models.timm_vit(tmp_path / "timm")
    edit(timm / "config.json", architecture="hf-hub:somebody/model")
    with pytest.raises(BackboneUnavailable, match="does not name a model"):
        pull(timm, into)
    edit(timm / "config.json", architecture="test_resnet")
    with pytest.raises(BackboneUnavailable, match="cannot be read"):
        pull(timm, into)
    assert list(into.iterdir()) == []


def test_a_model_that_says_the_same_of_everything_is_refused(bert: Path, into: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(bert / "model.safetensors")
    for broken in (torch.zeros_like, lambda tensor: torch.full_like(tensor, torch.nan)):
        save_file({n: broken(t) for n, t in tensors.items()}, bert / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(BackboneUnavailable, match="says the same of everything"):
            pull(bert, into)


def test_a_model_that_writes_texts_is_no_encoder(into: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5Model

    T5Model(T5Config(vocab_size=50, d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8)).save_pretrained(
        tmp_path / "t5"
    )
    with pytest.raises(BackboneUnavailable, match="not an encoder"):
        pull(tmp_path / "t5", into)


def test_a_name_stands_for_the_same_files_for_ever(bert: Path, into: Path, tmp_path: Path) -> None:
    source = OwnHub(bert)
    first = pull_from(source, into)
    for asked in ("owner/tickets", f"owner/tickets@{COMMIT}"):
        assert pull_from(source, into, asked) == first
    assert source.n_fetched == 1
    assert pull_from(OwnHub(bert, "f" * 40), into) == first  # whatever the hub has by now: none in particular was asked
    with pytest.raises(PullRefused, match="under another name, with --name"):
        pull_from(OwnHub(bert, "f" * 40), into, "owner/tickets@v2")
    with pytest.raises(PullRefused, match="under another name"):
        pull(bert, into)  # a folder has no revision: who knows what it is
    folder = pull(bert, into, name="folder")
    assert pull(bert, into, name="folder") == folder
    with pytest.raises(PullRefused, match="under another name"):
        pull(tiny_models.bert(tmp_path / "other", seed=1), into, name="folder")
    with pytest.raises(PullRefused, match="under another name"):
        pull_from(OwnHub(bert), into, "owner/folder")


def test_two_pulls_at_once_do_not_replace_each_other(bert: Path, into: Path, tmp_path: Path) -> None:
    other = tiny_models.bert(tmp_path / "other", seed=1)

    def be_quicker(_folder: Path) -> None:
        pull_from(OwnHub(other, "f" * 40), into)

    with pytest.raises(PullRefused, match="under another name"):
        pull_from(OwnHub(bert, damage=be_quicker), into)
    assert Registry(into).manifest("tickets").revision == "f" * 40
    assert backbones.load("tickets", pulled=into, device="cpu")


def test_leftovers_of_killed_pulls_are_removed_in_time(bert: Path, into: Path) -> None:
    for name, age in ((".pull-old", 2 * hub.LEFTOVER_SECONDS), (".pull-new", 60.0)):
        (into / name / "files").mkdir(parents=True)
        os.utime(into / name, (time.time() - age, time.time() - age))
    pull(bert, into)
    assert sorted(path.name for path in into.iterdir()) == [".pull-new", "tickets"]


def test_a_damaged_one_is_refused_and_brought_again(bert: Path, into: Path) -> None:
    source = OwnHub(bert)
    manifest = pull_from(source, into)
    weights = into / "tickets" / FILES / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BackboneUnavailable, match=rf"damaged: model\.safetensors .*pull OWNER/MODEL@{COMMIT}"):
        backbones.load("tickets", pulled=into, device="cpu")
    assert pull_from(source, into) == manifest
    assert source.n_fetched == 2
    assert backbones.load("tickets", pulled=into, device="cpu").spec == manifest.spec
    assert [path.name for path in into.iterdir()] == ["tickets"]


@pytest.mark.parametrize(
    "way", ["missing", "added", "link", "linked folder", "no manifest", "other name", "path", "wide"]
)
def test_whatever_was_exchanged_is_refused(bert: Path, into: Path, tmp_path: Path, way: str) -> None:
    pull(bert, into)
    files, manifest = into / "tickets" / FILES, into / "tickets" / MANIFEST
    facts = json.loads(manifest.read_text())
    if way == "missing":
        (files / "tokenizer.json").unlink()
    elif way == "added":
        (files / "adapter_config.json").write_text("{}")
    elif way == "link":
        shutil.move(files / "tokenizer.json", tmp_path / "tokenizer.json")
        (files / "tokenizer.json").symlink_to(tmp_path / "tokenizer.json")
    elif way == "linked folder":
        shutil.move(into / "tickets", tmp_path / "tickets")
        (into / "tickets").symlink_to(tmp_path / "tickets")
    elif way == "no manifest":
        manifest.unlink()
    elif way == "other name":
        edit(manifest, name="others")
    elif way == "path":
        edit(manifest, files={**facts["files"], "../../../etc/passwd": facts["files"]["config.json"]})
    else:
        manifest.write_text("{" + " " * 2_000_000 + "}")
    with pytest.raises(BackboneUnavailable, match=r"manage\.py backbones pull"):
        backbones.load("tickets", pulled=into, device="cpu")


def test_what_is_no_backbone_is_not_listed(bert: Path, into: Path) -> None:
    assert Registry(into).names() == ()
    manifest = pull(bert, into)
    (into / ".pull-x").mkdir()
    (into / "empty").mkdir()
    (into / "file").write_text("x")
    assert [each.name for each in Registry(into)] == ["tickets"]
    assert Manifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest


def test_a_full_disk_is_said_before_anything_is_fetched(
    bert: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(into.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=10))
    with pytest.raises(PullRefused, match="are needed"):
        pull(bert, into)


SCRIPT = """
import sys
from pathlib import Path
allowed = sys.argv[2:3] and "127.0.0.1"
sys.addaudithook(lambda event, args: event == "socket.connect" and args[1][0] != allowed and sys.exit(f"{args}"))
from apps.engine import backbones
from apps.engine.backbones import hub
from apps.engine.backbones.hub_sources import HubSource
from apps.engine.errors import PullRefused
into, endpoint = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
if endpoint:
    try:
        make = lambda name, revision: HubSource(name, revision, endpoint=endpoint)
        wanted = hub.wanted_from_hub(sys.argv[3], make=make)
        print(hub.pull(wanted, into=into).version)
    except PullRefused as error:
        sys.exit(f"REFUSED {error}")
for name in hub.Registry(into).names():
    backbone = backbones.load(name, pulled=into, device="cpu")
    print(name, backbone.spec.dim)
"""


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, "HF_HOME": str(Path(str(arguments[0])).parent / "hf"), **environment},
    )


def test_a_hub_is_asked_for_the_commit_and_for_nothing_but_the_files(bert: Path, into: Path) -> None:
    (bert / "pytorch_model.bin").write_bytes(b"\x80\x04pickled")
    (bert / "README.md").write_text("words")
    with serving(Hub("owner/tickets", bert)) as served:
        done = run(into, served.url, "owner/tickets")
        assert done.returncode == 0, done.stderr
        asked = list(served.asked)
        gone = run(into, served.url, "owner/other")
        unknown = run(into, served.url, "owner/tickets@v9")
    assert not [path for path in asked if path.endswith((".bin", ".md"))]
    manifest = Registry(into).manifest("tickets")
    assert (manifest.revision, manifest.source) == (COMMIT, "owner/tickets")
    assert set(manifest.files) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert manifest.version in done.stdout
    assert "REFUSED The hub knows no owner/other" in gone.stderr
    assert "REFUSED owner/tickets has no revision v9" in unknown.stderr


def test_a_hub_that_hands_out_other_bytes_is_refused(bert: Path, into: Path) -> None:
    with serving(Hub("owner/tickets", bert, announced={"model.safetensors": "0" * 64})) as served:
        done = run(into, served.url, "owner/tickets")
    assert "was not handed out whole" in done.stderr or "REFUSED" in done.stderr
    assert Registry(into).names() == ()


def test_opening_never_touches_the_network(into: Path, tmp_path: Path) -> None:
    for name, make in tiny_models.MAKERS.items():
        pull(make(tmp_path / name), into, name=f"my-{name}")
    done = run(into)  # without HF_HUB_OFFLINE, and with a hook that ends the process at the first connection
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 2 * len(tiny_models.MAKERS)


def test_no_hub_is_asked_when_it_is_switched_off(into: Path) -> None:
    done = run(into, "http://127.0.0.1:9", "owner/tickets", HF_HUB_OFFLINE="1")
    assert "REFUSED HF_HUB_OFFLINE is set" in done.stderr
    assert "pull ./FOLDER --name NAME" in done.stderr


def test_a_hub_that_is_away_is_said(into: Path) -> None:
    done = run(into, "http://127.0.0.1:9", "owner/tickets")
    assert "REFUSED The hub did not hand out owner/tickets" in done.stderr
