# What visitors lets no connector do without somebody's consent. It is asked when one is applied and approved.
package narrows.internal_only

import rego.v1

default allow := false

allow if count(deny) == 0

deny contains {
	"rule": "internal-only",
	"field": "kind",
	"message": "this BFF is for programs of our own, and a partner's is none",
	"remedy": "declare exposure=\"partner\" in app.py, and review what the BFF shows",
} if {
	input.connector.kind == "partner"
	input.bff.exposure == "internal"
}
