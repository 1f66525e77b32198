"""Where2Eat: suggestions and bookings for a team lunch."""
