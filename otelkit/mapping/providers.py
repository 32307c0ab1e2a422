"""Provider names: the well-known values of ``gen_ai.provider.name`` for what instrumentations call them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["ALIASES", "canonical_provider"]

ALIASES: Final = {
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "azureopenai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "google_generativeai": "gcp.gen_ai",
    "gemini": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "mistral-ai": "mistral_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "grok": "x_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
}


@lru_cache(maxsize=1024)
def canonical_provider(name: str) -> str:
    """Return the well-known value for a provider's name; unknown names come back in lower case."""
    lowered = name.strip().lower()
    return ALIASES.get(lowered, lowered)
