"""Telling the parties that something happened: an outbox, and letters that hold references only."""
