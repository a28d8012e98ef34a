"""Ranks of a given total: the components with the largest selection variables of all layers together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autolora.adapters.projections import Projection


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A limit on the size of all LoRA updates together, either as a mean rank or as a number of parameters."""

    mean_rank: float | None = None
    """Sum of the ranks over the number of layers, those of rank 0 included."""
    parameters: int | None = None
    """Sum of r_l * (m_l + n_l) over the layers, where layer l has m_l outputs, n_l inputs and rank r_l."""

    def __post_init__(self) -> None:
        given = [value for value in (self.mean_rank, self.parameters) if value is not None]
        if len(given) != 1 or not given[0] > 0:
            raise ValueError(
                "a budget is either mean_rank or parameters, and positive; "
                f"got mean_rank={self.mean_rank}, parameters={self.parameters}"
            )

    @property
    def unit(self) -> str:
        """What is counted: "ranks" or "parameters"."""
        return "ranks" if self.parameters is None else "parameters"

    def cost(self, projection: Projection) -> int:
        """What one component of a layer takes of the budget."""
        return 1 if self.parameters is None else projection.lora_parameters(1)


def limit_of(budget: Budget, projections: Sequence[Projection]) -> int:
    """The budget as a number of ranks or of parameters, whichever it is given in."""
    if budget.parameters is not None:
        return budget.parameters
    assert budget.mean_rank is not None
    return round(budget.mean_rank * len(projections))


def ranks_within(
    budget: Budget, selection: Mapping[str, Sequence[float]], projections: Sequence[Projection]
) -> dict[str, int]:
    """Keep the components with the largest selection variables that the budget has room for.

    Components are taken in descending order; one that no longer fits is left out, and smaller ones are still tried.
    Unlike the threshold of section 4.4, the budget lets a layer lose all of its components.

    Args:
        budget: the limit.
        selection: layer name -> its k selection variables.
        projections: the layers, whose sizes are the costs.

    Returns:
        layer name -> rank in 0..k.

    Raises:
        ValueError: the budget has no room for a single component, or for more than all of them.
    """
    costs = {each.name: budget.cost(each) for each in projections}
    limit = limit_of(budget, projections)
    smallest, largest = min(costs.values()), sum(costs[name] * len(values) for name, values in selection.items())
    if not smallest <= limit <= largest:
        raise ValueError(
            f"a budget of {limit:,} {budget.unit} cannot be met: one component takes {smallest:,}, and all components of "
            f"{len(projections)} layers together {largest:,}"
        )
    ranks, spent = dict.fromkeys(costs, 0), 0
    components = [(value, name) for name, values in selection.items() for value in values]
    for _, name in sorted(components, key=lambda component: -component[0]):
        if spent + costs[name] <= limit:
            ranks[name] += 1
            spent += costs[name]
    return ranks
