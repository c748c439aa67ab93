"""A service that is told to stop ends in order: keyholder, jobs and uploads before itself."""

from demo.stage import stage


def test_it_stops_in_order() -> None:
    with stage() as here:
        here.escrow(here.service_environment, "admin", "init")
        here.start()
        assert here.stop() == 0
        left = [path.name for path in (here.folder / "home" / "run").iterdir()]
        assert left == ["keyholder-public.json"]
