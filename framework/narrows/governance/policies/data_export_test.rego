package narrows.data_export_test

import rego.v1

import data.narrows.data_export

asking := {"connector": {
	"id": "lunch-app",
	"owner": "amina@example.com",
	"contact": "lunch-tools@example.com",
	"digest": "d1",
	"scopes": ["dining:read", "data:export"],
	"grants": [],
}}

not_asking := {"connector": object.union(asking.connector, {"scopes": ["dining:read"]})}

granted_by(who, digest) := {"connector": object.union(
	asking.connector,
	{"grants": [{"grant": "data:export", "by": who, "digest": digest}]},
)}

granted := granted_by("security@example.com", "d1")

granted_by_owner := granted_by("Amina@example.com", "d1")

granted_before := granted_by("security@example.com", "d0")

shouted := {"connector": object.union(asking.connector, {"scopes": ["DATA:EXPORT"]})}

through := {
	"bff": {"endpoints": [{"id": "lunch.all", "uses": [{"id": "Bills.all", "asks": "data:export"}]}]},
	"connector": object.union(not_asking.connector, {"endpoints": ["lunch.all"]}),
}

beside := {"bff": through.bff, "connector": object.union(not_asking.connector, {"endpoints": ["lunch.menu"]})}

test_denied_through_an_endpoint if {
	not data_export.allow with input as through
}

test_allowed_beside_such_an_endpoint if {
	data_export.allow with input as beside
}

test_denied_without_grant if {
	not data_export.allow with input as asking
}

test_reason_names_the_field if {
	some denial in data_export.deny with input as asking
	denial.rule == "data-export"
	denial.field == "scopes"
	denial.grant == "data:export"
}

test_denied_when_its_owner_grants if {
	not data_export.allow with input as granted_by_owner
}

test_denied_when_another_record_was_granted if {
	not data_export.allow with input as granted_before
}

test_denied_in_capitals if {
	not data_export.allow with input as shouted
}

test_allowed_with_grant if {
	data_export.allow with input as granted
}

test_allowed_without_the_scope if {
	data_export.allow with input as not_asking
}
