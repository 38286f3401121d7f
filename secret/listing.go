package secret

import (
	"time"

	"infsh/listing"
)

// Listing says how secrets are listed. [Service.Page] cuts the pages; the
// database has a column for each field.
var Listing = listing.List[Secret]{
	Name: "secrets",
	Fields: []listing.Field[Secret]{
		listing.Unique(listing.Searched(listing.TextField("key", func(s Secret) string { return string(s.Key) }))),
		listing.Searched(listing.TextField("description", func(s Secret) string { return s.Description })),
		listing.NumberField("version", func(s Secret) int64 { return s.Version }),
		listing.TextField("user_id", func(s Secret) string { return s.CreatedByID }),
		listing.TextField("updated_by", func(s Secret) string { return s.UpdatedBy }),
		listing.TimeField("created_at", func(s Secret) time.Time { return s.CreatedAt }),
		listing.TimeField("updated_at", func(s Secret) time.Time { return s.UpdatedAt }),
		listing.TimeField("value_at", func(s Secret) time.Time { return s.ValueAt }),
		listing.TimeField("rotate_at", func(s Secret) time.Time { return s.RotateAt() }),
		listing.TimeField("expires_at", func(s Secret) time.Time { return s.ExpiresAt }),
		listing.TimeField("attention_at", func(s Secret) time.Time { return s.AttentionAt() }),
		listing.IDField(func(s Secret) string { return s.ID }),
	},
	SortedBy: listing.Order{Field: "key"},
}
