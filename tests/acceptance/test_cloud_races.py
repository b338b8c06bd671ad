"""Twenty orchestrators that want the same date at the same moment, and one machine for them."""

from tests.acceptance.forks import Forks

TRAIN = ("TrainModel", "--date", "2024-03-01")
LOAD = ("LoadToBigQuery", "--date", "2024-03-05")


def test_twenty_that_want_one_date_make_one_claim_and_one_machine(cloud_project):
    cloud_project.use_machines()
    with Forks(cloud_project.project.folder, cloud_project.environment) as forks:
        forks.start(*[TRAIN] * 20)
        assert forks.wait() == [0] * 20, forks.output.read_text()
    claims = cloud_project.objects("v1/training/date=2024-03-01/claim-")
    assert [name.rpartition("/")[2] for name in claims] == ["claim-1.json"]
    inserted = cloud_project.cloud.requests.to("compute", "^POST .*/instances$")
    assert len({each.json["name"] for each in inserted}) == 1
    assert cloud_project.machines() == []


def test_many_that_want_the_whole_chain_end_with_one_set_of_rows(cloud_project):
    cloud_project.use_machines()
    with Forks(cloud_project.project.folder, cloud_project.environment) as forks:
        forks.start(*[LOAD] * 5)
        assert forks.wait() == [0] * 5, forks.output.read_text()
    assert cloud_project.table("COUNT(*), COUNT(DISTINCT run_id)", order="1") == [(40, 1)]
    assert cloud_project.machines() == []
