"""Tools of MCP servers that a request names, over streamable HTTP and SSE."""

from smalt.tools.mcp.approvals import check_approvals
from smalt.tools.mcp.clients import McpClients
from smalt.tools.mcp.failures import error_text
from smalt.tools.mcp.server import shown
from smalt.tools.mcp.tool import McpTool

__all__ = ["McpClients", "McpTool", "check_approvals", "error_text", "shown"]
