import os
import shutil

from narrows.devkit.dev.watch import Watch, package_of


def write(path, text=""):
    """Write a file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_that_come_change_and_go_are_told_once(tmp_path):
    """Each change is seen at the next look, and no more at the one after it."""
    app = write(tmp_path / "app.py", "1")
    policy = write(tmp_path / "policy" / "roles.csv")
    watch = Watch([tmp_path])
    assert watch.changed() == []
    app.write_text("22")
    new = write(tmp_path / "connectors" / "a.toml")
    policy.unlink()
    assert watch.changed() == [app, new, policy]
    assert watch.changed() == []


def test_a_change_of_the_same_size_is_seen_by_its_time(tmp_path):
    """Correcting one letter is a change."""
    app = write(tmp_path / "app.py", "1")
    watch = Watch([app])
    app.write_text("2")
    os.utime(app, ns=(1, 1))
    assert watch.changed() == [app]


def test_what_is_made_or_hidden_is_not_watched(tmp_path):
    """Caches, environments, stores and editors' files start nothing anew."""
    watch = Watch([tmp_path])
    for name in ("__pycache__/a.py", ".venv/a.py", "node_modules/a.js", ".app.py", "a.db", "app.py~", "a.pyc"):
        write(tmp_path / name)
    assert watch.changed() == []


def test_a_place_that_is_added_is_known_from_then_on(tmp_path):
    """The settings beside the package are watched too; a place that is not there yet is no fault."""
    settings = write(tmp_path / "elsewhere" / "dev.toml")
    watch = Watch([tmp_path / "package"])
    watch.add([settings, settings.parent / "absent.csv"])
    watch.add([settings])
    assert watch.changed() == []
    settings.write_text("x")
    made = write(settings.parent / "absent.csv")
    assert watch.changed() == [made, settings]
    shutil.rmtree(settings.parent)
    assert watch.changed() == [made, settings]


def test_a_huge_folder_is_watched_in_part(tmp_path):
    """A look never takes longer than its share."""
    for number in range(5):
        write(tmp_path / f"{number}.py")
    watch = Watch([tmp_path], most=3)
    write(tmp_path / "4.py", "x")
    assert watch.changed() == []
    write(tmp_path / "0.py", "x")
    assert watch.changed() == [tmp_path / "0.py"]


def test_the_package_is_found_without_importing_it(tmp_path):
    """A file that raises when it is imported is still watched."""
    app = write(tmp_path / "lunch" / "inner" / "app.py", "raise SystemExit")
    write(tmp_path / "lunch" / "__init__.py", "raise SystemExit")
    assert package_of("lunch.inner.app:bff", tmp_path) == app.parent
    assert package_of("json:x", tmp_path).name == "json"
    assert package_of("json.decoder:x", tmp_path).name == "json"
    assert package_of("lunch.absent:bff", tmp_path) is None
    assert package_of("nowhere_at_all:bff", tmp_path) is None
    assert package_of("lunch.inner:bff", tmp_path) is None
