// Package openapi holds the description of the JSON API, in OpenAPI 3.1. It is
// generated: see tools/openapi.
package openapi

import _ "embed"

// Document is the description, as JSON.
//
//go:embed openapi.json
var Document []byte
