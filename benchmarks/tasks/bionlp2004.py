"""BioNLP2004 (JNLPBA): recognition of gene, protein and cell names in abstracts of biomedical articles."""

from benchmarks.data.sources.tagged import TaggedDataSet
from benchmarks.tasks.families.tagging import EntityTagging

TASK = EntityTagging(
    version=1,
    title="BioNLP2004",
    dataset=TaggedDataSet(
        name="bionlp2004",
        hub=("tner/bionlp2004", "bionlp2004"),
        hub_splits={"train": "train+validation"},  # the official files have no development set
        types=("DNA", "protein", "cell_type", "cell_line", "RNA"),
        files={"train": "Genia4ERtask1.iob2", "test": "Genia4EReval1.iob2"},
        official_rows={"train": 18_546, "test": 3_856},
        fingerprints={
            "embedded": "3e89ec2adf582bc42f01e72b80a82edefbc4bb6efef89ba808bedd571d192fe6",
            "iob2": "d9c3a91695dd63607b57183c7a71629428b4eb5dd1ece51fab5b6877d8072e63",
        },
    ),
)
