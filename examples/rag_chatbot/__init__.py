"""A chatbot over otelkit's own handbook: FastAPI, retrieval, tools and the `openai` client, observed with otelkit."""
