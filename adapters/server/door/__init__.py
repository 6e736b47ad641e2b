"""The door: one HTTP application in front of the calls. It knows them by adapters.server.inside alone."""
