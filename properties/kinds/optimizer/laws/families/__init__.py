"""Laws that one family of rules obeys and others break, by family."""
