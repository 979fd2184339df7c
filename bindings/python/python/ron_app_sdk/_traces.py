"""The current trace as OpenTelemetry has it. Imported where a program has imported OpenTelemetry itself."""

from __future__ import annotations

from opentelemetry import trace


def traceparent() -> str | None:
    """The current span as a W3C `traceparent`; `None` where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
