//! The paths of the platform's API.

/// A path of the API.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// HTTP method.
    pub method: &'static str,
    /// HTTP path.
    pub path: &'static str,
    /// How long it takes when nobody waits, as a median.
    pub median_ms: f64,
}

const fn endpoint(method: &'static str, path: &'static str, median_ms: f64) -> Endpoint {
    Endpoint { method, path, median_ms }
}

/// All paths; the constants below are their positions.
pub const ENDPOINTS: [Endpoint; 15] = [
    endpoint("POST", "/api/v1/auth/login", 140.0),
    endpoint("POST", "/api/v1/auth/logout", 25.0),
    endpoint("GET", "/api/v1/dashboard", 95.0),
    endpoint("GET", "/api/v1/sites", 45.0),
    endpoint("GET", "/api/v1/devices", 70.0),
    endpoint("GET", "/api/v1/devices/{device_id}", 38.0),
    endpoint("GET", "/api/v1/devices/search", 120.0),
    endpoint("GET", "/api/v1/jobs", 60.0),
    endpoint("POST", "/api/v1/jobs", 85.0),
    endpoint("GET", "/api/v1/reports/daily", 240.0),
    endpoint("POST", "/api/v1/deliveries", 90.0),
    endpoint("PUT", "/api/v1/settings", 65.0),
    endpoint("POST", "/api/v1/devices/{device_id}/metrics", 22.0),
    endpoint("GET", "/api/v1/devices/{device_id}/config", 30.0),
    endpoint("POST", "/api/v1/push/ack", 18.0),
];
/// A user's login.
pub const LOGIN: usize = 0;
/// A user's logout.
pub const LOGOUT: usize = 1;
/// A search for devices.
pub const SEARCH: usize = 6;
/// A new job.
pub const NEW_JOB: usize = 8;
/// An agent's readings.
pub const SEND_METRICS: usize = 12;
/// An agent asks for its configuration.
pub const GET_CONFIG: usize = 13;
/// A terminal acknowledges a push notification.
pub const ACKNOWLEDGE: usize = 14;
