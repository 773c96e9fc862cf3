"""What looks like this? Embeddings, an index of them, contours, and two pictures compared."""

from garim.similarity.compare import Comparison, compare
from garim.similarity.index import Index, Indexed, add, index
from garim.similarity.retrieval import RetrievalReport
from garim.similarity.search import Answer, evaluate_search, query
from garim.similarity.settings import EmbedSettings, IndexSettings

__all__ = [
    "Answer",
    "Comparison",
    "EmbedSettings",
    "Index",
    "IndexSettings",
    "Indexed",
    "RetrievalReport",
    "add",
    "compare",
    "evaluate_search",
    "index",
    "query",
]
