"""WebNLG (challenge of 2017): texts from sets of DBpedia triples; part of the test set has categories not in training."""

from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.webnlg import read_webnlg, rows_of_hub
from benchmarks.tasks.families.generation import TextGeneration

TASK = TextGeneration(
    version=1,
    title="WebNLG",
    scores="webnlg",
    dataset=DescribedDataSet(
        name="webnlg",
        hub=HubForm(
            repository="webnlg-challenge/web_nlg",
            configuration="webnlg_challenge_2017",
            splits={"train": "train", "test": "test"},
            read=rows_of_hub,
        ),
        forms=(
            Form(
                name="xml",
                files={
                    "train": "webnlg_challenge_2017/train",
                    "test": "webnlg_challenge_2017/test/testdata_with_lex.xml",
                },
            ),
            Form(name="json", files={"train": "lora_json/train.json.gz", "test": "lora_json/test.json.gz"}),
        ),
        read=read_webnlg,
        official_rows={"train": 6_893, "test": 1_862},
        fingerprints={
            "embedded": "c6056f45caaeeae032977f94229ada0731595255b1c24ea295eeca40735fecd8",
            "xml": "bc76abc843342983cb2ff32ce652991eb2075c04f2adbdf60476de5e4dd16267",
            "json": "bc76abc843342983cb2ff32ce652991eb2075c04f2adbdf60476de5e4dd16267",
        },
    ),
)
