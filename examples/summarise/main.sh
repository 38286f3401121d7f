#!/bin/sh
# Stands for an app that logs more than it should: it prints its key as it is,
# in base64, and inside a URL. `infsh run` removes it from all three.
echo "Starting the summariser."
echo "The key has ${#OPENAI_API_KEY} characters, so it is there."
echo "DEBUG headers: Authorization: Bearer $OPENAI_API_KEY"
echo "DEBUG basic auth: $(printf '%s' "$OPENAI_API_KEY" | base64)"
echo "DEBUG url: https://api.example.com/v1?key=$OPENAI_API_KEY&n=1" >&2
echo "DATABASE_URL is ${DATABASE_URL:-not set, and optional}."
echo "STRIPE_SECRET_KEY is ${STRIPE_SECRET_KEY:-not here: this app does not declare it}."
echo "INFSH_API_KEY is ${INFSH_API_KEY:-not here: the runner keeps it to itself}."
echo "Done."
