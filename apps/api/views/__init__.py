"""The endpoints, by resource: each parses, asks `access`, calls one service, renders."""
