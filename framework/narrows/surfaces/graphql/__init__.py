"""The way in by GraphQL, an extra built on Strawberry: documents that were registered ahead, each an endpoint."""
