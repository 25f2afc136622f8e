// The Centrifuge library for Go as a server, as its own examples set it up: what the message benchmark compares our
// gateway with. Several of them share one Redis.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/centrifugal/centrifuge"
)

// As our gateways keep it: enough history that a client that was away can recover.
const (
	historySize = 1000
	historyTTL  = 10 * time.Minute
)

func main() {
	version := flag.Bool("version", false, "print the version of the library")
	listen := flag.String("listen", "", "host:port of the TLS listener")
	redis := flag.String("redis", "", "host:port of Redis")
	cert := flag.String("cert", "", "PEM file of the certificate")
	key := flag.String("key", "", "PEM file of its key")
	flag.Parse()
	if *version {
		fmt.Println(libraryVersion())
		return
	}
	// Not a flag: those can be seen by everyone on the machine.
	secret := []byte(os.Getenv("TOKEN_SECRET"))
	if len(secret) == 0 {
		log.Fatal("TOKEN_SECRET is empty: set it to what tokens are signed with")
	}
	node, err := newNode(*redis, secret)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	server := &http.Server{Addr: *listen, Handler: mux, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13}}
	go stopOnSignal(node, server)
	if err := server.ListenAndServeTLS(*cert, *key); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func newNode(redis string, secret []byte) (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: redis})
	if err != nil {
		return nil, err
	}
	broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{
		Shards: []*centrifuge.RedisShard{shard},
	})
	if err != nil {
		return nil, err
	}
	node.SetBroker(broker)
	node.OnConnecting(func(_ context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		user, err := userOf(event.Token, secret)
		if err != nil {
			return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
		}
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: user}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, callback centrifuge.SubscribeCallback) {
			options := centrifuge.SubscribeOptions{EnableRecovery: true, EnablePositioning: true}
			callback(centrifuge.SubscribeReply{Options: options}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, callback centrifuge.PublishCallback) {
			options := centrifuge.PublishOptions{HistorySize: historySize, HistoryTTL: historyTTL}
			callback(centrifuge.PublishReply{Options: options}, nil)
		})
	})
	return node, node.Run()
}

// userOf checks an HS256 token (RFC 7519) and returns its subject.
func userOf(token string, secret []byte) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("not a token")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return "", errors.New("wrong signature")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	return claims.Subject, json.Unmarshal(payload, &claims)
}

func stopOnSignal(node *centrifuge.Node, server *http.Server) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = node.Shutdown(ctx)
	_ = server.Shutdown(ctx)
}

func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/centrifugal/centrifuge" {
			return module.Version
		}
	}
	return "unknown"
}
