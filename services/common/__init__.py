"""What the services share: settings, logs, problem documents, calls to others, serving."""
