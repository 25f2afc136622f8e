package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

var tokenHead = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

// tokenOf is a token of user (RFC 7519), valid for an hour.
func tokenOf(secret []byte, user string) string {
	claims, err := json.Marshal(map[string]any{"sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		panic(err) // A string and a number can always be written.
	}
	text := tokenHead + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}
