"""What the department says on hospitals' pages: notices and maintenance windows, from a moment until another."""
