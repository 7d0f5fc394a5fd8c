"""The application: our own API, authentication, figures of the process, the server."""
