"""YAML that somebody else wrote, bounded as `personas.bounded` bounds what comes in other formats."""

from collections.abc import Callable
from typing import Any

import yaml

from personas.bounded import DEPTH, check_value

NODES = 100_000  # of a file, its aliases written out
_LONGEST_NUMBER = 40


def parse_yaml(text: str, loader: "Callable[[str], BoundedYaml]") -> Any:
    """The value of a YAML text.

    Raises ValueError for one that is wrong, too deep, or too large once its aliases are written out.
    """
    made = None
    try:
        made = loader(text)
        value = made.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    except (AttributeError, KeyError, OverflowError, TypeError, RecursionError) as error:
        # A tag that its text does not fit: !!bool maybe, !!timestamp x, "\UFFFFFFFF".
        raise ValueError(f"a value does not fit its type ({type(error).__name__})") from None
    finally:
        if made:
            made.dispose()
    check_value(value)
    return value


class BoundedYaml(yaml.SafeLoader):
    """YAML's safe subset, with a bound on depth and on the number of nodes.

    An alias counts as all that it stands for: ten anchors of ten aliases each are ten thousand million nodes.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node, counted."""
        alias = self.check_event(yaml.AliasEvent)
        before, self._depth = self._nodes, self._depth + 1
        if self._depth > DEPTH:
            raise ValueError(f"nested more than {DEPTH} deep")
        node = super().compose_node(parent, index)
        if alias and id(node) not in self._sizes:
            raise ValueError("an alias stands inside of its own anchor")
        self._nodes += self._sizes[id(node)] if alias else 1
        if self._nodes > NODES:
            raise ValueError(f"more than {NODES:,} values once its aliases are written out")
        self._depth -= 1
        self._sizes[id(node)] = self._sizes[id(node)] if alias else self._nodes - before
        return node

    def number(self, node: yaml.ScalarNode) -> Any:
        """A number of a plausible length: one of a million digits would take hours."""
        if len(node.value) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(node.value):,} characters")
        make = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        return make(node)


for _tag in ("int", "float"):
    BoundedYaml.add_constructor(f"tag:yaml.org,2002:{_tag}", BoundedYaml.number)
