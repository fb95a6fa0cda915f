# art33 with both databases: docker build -t art33 . && docker run --read-only -v art33:/data -p 8033:8033 art33
# Runs as an unprivileged number, writes to /data only, and needs no shell of its own.

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential libpq-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The dependencies alone, so that a change of ours builds only our own crate.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --features postgres \
    && rm -rf src target/release/.fingerprint/art33-*

COPY . .
RUN cargo build --release --locked --features postgres

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libpq5 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 10033 -g 10033 -m 0700 /data
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/art33/
COPY --from=build /build/target/release/art33 /usr/local/bin/art33
ENV ART33_DATA_DIR=/data ART33_LISTEN=0.0.0.0:8033
WORKDIR /data
VOLUME /data
USER 10033:10033
EXPOSE 8033
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["art33", "health"]
ENTRYPOINT ["art33"]
CMD ["serve"]
