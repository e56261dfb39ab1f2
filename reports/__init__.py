"""Certificates, accuracy reports and the command line."""
