"""How many tokens are computed at once: as many as memory turned out to hold."""

import torch

START = {"cpu": 4096, "cuda": 16_384}
MOST = 4  # times the start that a budget may grow to
LEAST = 64
PATIENCE = 50  # batches without trouble, after which a budget that was halved grows


class TokenBudget:
    """Tokens a pass: halved where memory runs out, grown by a quarter after a while without trouble."""

    def __init__(self, size: int, most: int | None = None) -> None:
        self.size = max(LEAST, size)
        self._most = max(self.size, most or self.size)
        self._quiet = 0

    def halve(self, tried: int) -> None:
        """Memory ran out with `tried` tokens."""
        self.size = max(1, min(self.size, tried) // 2)
        self._quiet = 0

    def grow(self) -> None:
        """A batch went well."""
        self._quiet += 1
        if self._quiet >= PATIENCE and self.size < self._most:
            self.size, self._quiet = min(self._most, max(self.size + 1, self.size * 5 // 4)), 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a failure means that memory ran out, on a GPU or in the processor's own."""
    if isinstance(error, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))
