# Data leaves in bulk only for a connector that was approved for it.
package narrows.data_export

import rego.v1

default allow := false

allow if count(asked_for) == count(granted)

deny contains {
	"rule": "data-export",
	"field": "scopes",
	"message": concat("", ["the scope ", scope, " takes data out in bulk, and this record is not approved for it"]),
	"remedy": concat("", ["take the scope out, or have an approver grant ", scope, " to this record"]),
	"grant": scope,
} if {
	some scope in asked_for
	not scope in granted
}

asked_for contains scope if {
	some scope in input.connector.scopes
	lower(scope) == "data:export"
}

# What an endpoint of the record asks an upstream for goes out through the connector as well.
asked_for contains operation.asks if {
	some endpoint in input.bff.endpoints
	endpoint.id in input.connector.endpoints
	some operation in endpoint.uses
	lower(operation.asks) == "data:export"
}

# A grant counts for the record that the approver saw, and not from those who answer for it.
granted contains scope if {
	some scope in asked_for
	some grant in input.connector.grants
	grant.grant == scope
	grant.digest == input.connector.digest
	not lower(grant.by) in {lower(input.connector.owner), lower(input.connector.contact)}
}
