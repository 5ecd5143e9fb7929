"""When is an object ready? One pure function per kind: objects in, a verdict with its reason out."""
