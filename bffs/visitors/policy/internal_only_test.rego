package narrows.internal_only_test

import rego.v1

import data.narrows.internal_only

partner := {"bff": {"exposure": "internal"}, "connector": {"kind": "partner"}}

page := {"bff": {"exposure": "internal"}, "connector": {"kind": "low-code"}}

opened := {"bff": {"exposure": "partner"}, "connector": {"kind": "partner"}}

test_a_partner_is_kept_out_of_what_is_internal if {
	not internal_only.allow with input as partner
}

test_our_own_page_is_let_in if {
	internal_only.allow with input as page
}

test_a_partner_is_let_into_what_is_for_partners if {
	internal_only.allow with input as opened
}
