# HAProxy as Debian packages it: the version that the tests run through, from the same base as the nodes.
FROM debian:bookworm-slim
RUN apt-get -q update && \
    apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends haproxy && \
    rm -rf /var/lib/apt/lists/*
COPY deploy/haproxy.cfg /etc/haproxy/haproxy.cfg
USER haproxy
EXPOSE 5672 15672 8404
# USR1 lets connections finish; TERM ends them.
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
