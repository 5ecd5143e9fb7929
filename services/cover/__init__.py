"""The insurance's cover: quotes for shipments and the covers bought."""
